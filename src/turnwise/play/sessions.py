"""`Sessions`: the games that a server has going, limited in number and in age."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnwise.play.opponents import known_agents
from turnwise.play.save import DEFAULT
from turnwise.play.session import Session
from turnwise.play.setup import Setup, again, try_game

Locate = Callable[[Path], tuple[str, str] | None]
"""File of an episode -> (run, key) that the pages know it by."""


class TooMany(RuntimeError):
    """No further game can be begun now."""


class NoSession(KeyError):
    """There is no game of this id, or no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many games a server holds."""

    games: int = 32
    """Most games that are not over."""
    kept: int = 64
    """Most games in all; those that are over go first."""
    idle_s: float = 3600.0
    """A game that nobody has looked at for so long is left, and saved as far as it was played."""


class Sessions:
    """Games by id. Any thread may ask.

    roots: folders in which runs are looked for. folder: where episodes are written.
    """

    def __init__(
        self,
        roots: Sequence[Path] = (Path("runs"),),
        folder: Path = DEFAULT,
        *,
        limits: Limits | None = None,
        locate: Locate | None = None,
    ) -> None:
        self.roots, self.folder, self.limits, self.locate = tuple(roots), folder, limits or Limits(), locate
        self._games: dict[str, Session] = {}
        self._starting = 0
        """Games that are being set up."""
        self._lock = threading.Lock()

    def start(self, setup: Setup) -> Session:
        """Begin a game. Raises TooMany, and ValueError where the setup does not fit."""
        with self._lock:
            self._sweep()
            going = self._starting + sum(not session.over for session in self._games.values())
            if going >= self.limits.games:
                raise TooMany(f"{going} games are going on here, which is the most: end one of them first")
            self._starting += 1
        try:
            session = Session(setup, folder=self.folder)  # loading weights may take long
            with self._lock:
                self._games[session.id] = session
        finally:
            with self._lock:
                self._starting -= 1
        return session

    def again(self, sid: str) -> Session:
        """The next game against the same agents, from the next seat."""
        before = self.get(sid)
        return self.start(again(before.setup, before.prepared))

    def get(self, sid: str) -> Session:
        """Raises NoSession."""
        with self._lock:
            if sid not in self._games:
                raise NoSession("there is no game of this id, or no longer: begin a new one")
            return self._games[sid]

    def close(self) -> None:
        """Leave every game: what was played is saved. An agent that is thinking is given five seconds."""
        for session in [*self._games.values()]:
            session.leave(timeout_s=5.0)

    def _sweep(self) -> None:
        """Leave games that nobody looks at, and forget the oldest that are over."""
        oldest = time.monotonic() - self.limits.idle_s
        for session in self._games.values():
            if session.touched < oldest and not session.over:
                session.leave(timeout_s=0.0)
        over = sorted((one for one in self._games.values() if one.over), key=lambda one: one.touched)
        for session in over[: max(0, len(self._games) + 1 - self.limits.kept)]:
            del self._games[session.id]

    # What the pages read

    def state(self, session: Session) -> dict[str, Any]:
        """The state of a game, and under which address its transcript is to be found."""
        state = session.to_dict()
        found = None if self.locate is None or not state["saved"] else self.locate(Path(state["saved"]))
        return {**state, "transcript": None if found is None else {"run": found[0], "key": found[1]}}

    def catalogue(self) -> dict[str, Any]:
        """The games that there are to choose from, and the agents. Who sits at a game, `details` says."""
        from turnwise.envs.registry import GAMES

        games = [{"id": one.id, "family": one.family, "summary": one.summary} for one in GAMES.values()]
        return {"games": games, "agents": known_agents(self.roots)}

    def details(self, env_id: str) -> Mapping[str, Any]:
        """Seats and levels of one game. Raises ValueError where there is none, or where it needs what is missing."""
        return try_game(env_id)
