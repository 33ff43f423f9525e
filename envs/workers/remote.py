"""`RemoteGame`: a game that lives in a worker process, with a deadline for every call."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np

from turnwise.envs.core import EnvFailure, IllegalAction, Step, TextGame, Unsupported
from turnwise.envs.history import played_game
from turnwise.envs.mirror import declarations, declare
from turnwise.envs.workers.pool import WorkerPool, worker_pool
from turnwise.envs.workers.process import Elsewhere, Worker
from turnwise.envs.workers.protocol import Move, Recipe, View

START_DEADLINE_S = 60.0
DEADLINE_S = 30.0

_numbers = itertools.count()


class RemoteGame(TextGame):
    """The game of an entry point, played in a worker process.

    deadline_s, start_deadline_s: how long a call, and a start, may take. A game that takes longer, that kills its
    worker or that raises what no game should raise ends its episode with EnvFailure, and begins anew with the next
    `start`. The other games of that worker move to another one: there they are started from the same generator and
    make the same moves again, and are checked to be where they were. In that way games are pickled, too.
    A turn costs one round trip, since the next seat's observation and legal actions come with the step. The generator
    given to `start` is copied: the caller's own does not move.
    Raises ValueError on a bad deadline or arguments that cannot be sent, and what the game raises on its arguments.
    """

    def __init__(
        self,
        entry_point: str,
        kwargs: Mapping[str, Any] | None = None,
        *,
        deadline_s: float = DEADLINE_S,
        start_deadline_s: float = START_DEADLINE_S,
        pool: WorkerPool | None = None,
    ) -> None:
        if not (deadline_s > 0 and start_deadline_s > 0):
            raise ValueError(f"deadlines are positive numbers of seconds: got {deadline_s} and {start_deadline_s}")
        self.recipe = Recipe(entry_point, dict(kwargs or {}))
        try:
            pickle.dumps(self.recipe)
        except Exception as error:  # whatever an argument's own pickling raises
            raise ValueError(
                f"arguments of a game in a worker must be picklable, or pass worker=False: {error}"
            ) from None
        self.deadline_s, self.start_deadline_s = deadline_s, start_deadline_s
        self._pool = pool
        self._mould = self.recipe.build()
        """Never started: it says what the game is before there is a worker."""
        declare(self, declarations(self._mould))
        self._worker: Worker | None = None
        self._number = 0
        self._failure: str | None = None
        self._begun: bytes | None = None
        """The generator of this episode as it was at the start."""
        self._moves: list[Move] = []
        self._view = View(None, (), None, None, None)
        self._unread: dict[str, str] = {}
        """Texts that came with a step and that nobody has asked for yet."""
        self._heard: set[str] = set()
        """Seats for which there is nothing more to read until somebody plays."""
        self._silent: frozenset[str] = frozenset()
        """Seats whose players act without reading, as scripted opponents do: nothing is read for them beforehand."""

    # The episode

    def start(self, rng: np.random.Generator) -> None:
        self._failure, self.seat = None, None
        self._begun, self._moves = pickle.dumps(rng), []
        self._unread, self._heard = {}, set()
        if self._worker is None or not self._worker.usable:
            self._move_in()
        self._take_in(self._start((), self._silent))

    def observe(self, seat: str) -> str:
        if seat not in self.seats:
            raise ValueError(f"observe needs one of the seats {', '.join(self.seats)}: got {seat!r}")
        if self._failure is not None:
            raise EnvFailure(self._failure)
        if seat in self._unread:
            return self._unread.pop(seat)
        if seat in self._heard:
            return ""
        news = str(self._ask("observe", seat))
        self._hear(seat, news)
        return news

    def legal(self) -> Sequence[str] | None:
        if self._failure is not None:
            raise EnvFailure(self._failure)
        return self._view.legal

    def play(self, action: str) -> Step:
        if self._unread:
            self._unread_again()
        step, view = self._ask("play", action, self._silent)
        self._moves.append(Move("play", action))
        self._heard.clear()
        self._take_in(view)
        return Step(*step)

    def sample_action(self, rng: np.random.Generator) -> str:
        if self._view.legal is not None and type(self._mould).sample_action is TextGame.sample_action:
            return super().sample_action(rng)
        action, rng.bit_generator.state = self._ask("sample_action", rng)
        return str(action)

    def _take_in(self, view: View) -> None:
        self._view, self.seat, self.task, self.level = view, view.seat, view.task, view.level
        if view.seat is not None and view.news is not None:
            self._hear(view.seat, view.news)
            if view.news:
                self._unread[view.seat] = view.news

    def _hear(self, seat: str, news: str) -> None:
        self._heard.add(seat)
        if news:  # reading nothing changes nothing
            self._moves.append(Move("observe", seat))

    def _unread_again(self) -> None:
        """A text was read for a seat that acts without reading: take the reading back, and do so no more."""
        self._silent |= self._unread.keys()
        for seat in self._unread:
            del self._moves[max(at for at, move in enumerate(self._moves) if move == Move("observe", seat))]
        self._heard -= self._unread.keys()
        self._unread = {}
        if self._worker is not None and self._worker.usable:
            self._repeat()

    # The worker

    def _ask(self, operation: str, *arguments: Any) -> Any:
        """What the game returns. Raises EnvFailure, IllegalAction, Unsupported; RuntimeError before the start."""
        if self._begun is None:
            raise RuntimeError("the game has not begun: call start(rng) first")
        if self._failure is not None:
            raise EnvFailure(self._failure)
        if self._worker is None or not self._worker.usable:
            self._come_back()
        while True:
            try:
                return self._send(operation, arguments, self.deadline_s)
            except Elsewhere:
                self._come_back()

    def _start(self, moves: tuple[Move, ...], silent: frozenset[str]) -> View:
        """Begin the episode in the worker, or in another one where that is stuck."""
        rng = pickle.loads(self._begun or b"")
        deadline_s = self.start_deadline_s + (self.deadline_s if moves else 0)
        while True:
            try:
                view, declared = self._send("start", (self.recipe, rng, moves, silent), deadline_s)
            except Elsewhere:
                self._move_in()
            else:
                declare(self, declared)
                return View(*view)

    def _come_back(self) -> None:
        """Be in another worker what this game was in the last one. Raises EnvFailure where it turns out different."""
        self._move_in()
        self._repeat()

    def _repeat(self) -> None:
        """Begin the episode anew and make the moves so far."""
        view = self._start(tuple(self._moves), frozenset(self.seats))
        if (view.seat, view.legal) != (self._view.seat, self._view.legal):
            raise self._fail("the game came out differently when it was played again in another worker")

    def _send(self, operation: str, arguments: tuple[Any, ...], deadline_s: float) -> Any:
        worker = self._worker
        assert worker is not None  # every caller has moved in
        try:
            kind, value = worker.ask(self._number, operation, arguments, deadline_s, self._home().has_better)
        except EnvFailure as error:
            raise self._fail(str(error)) from None
        if kind == "failed":
            raise self._fail(value)
        if kind == "illegal":
            raise IllegalAction(value)
        if kind == "unsupported":
            raise Unsupported(value)
        return value

    def _fail(self, reason: str) -> EnvFailure:
        """The episode is over; the next one begins with a new game."""
        self._failure, self.seat = reason, None
        self._view, self._unread = View(None, (), None, self.task, self.level), {}
        self._move_out()
        return EnvFailure(reason)

    def _home(self) -> WorkerPool:
        return self._pool or worker_pool()

    def _move_in(self) -> None:
        self._move_out()
        self._number = next(_numbers)
        self._worker = self._home().take(self._number)

    def _move_out(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.discard(self._number)

    def close(self) -> None:
        """Let the worker forget the game. It can be started again, and even be played on."""
        self._move_out()

    def __del__(self) -> None:
        if self.__dict__.get("_worker") is not None:
            self._move_out()

    # Copies

    def clone(self) -> Self:
        if not self.can_clone:
            raise Unsupported(f"{type(self._mould).__name__} cannot be cloned (can_clone is False)")
        number, twin = next(_numbers), object.__new__(type(self))
        if self._begun is not None and self._failure is None:
            self._ask("clone", number)
        twin.__dict__.update(self.__dict__)
        twin._moves, twin._unread, twin._heard = self._moves.copy(), self._unread.copy(), self._heard.copy()
        twin._number = number
        if self._worker is not None:
            self._worker.games.add(number)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """All but the worker: what comes back makes the same moves again once it is asked for something."""
        copies = {"_moves": self._moves.copy(), "_unread": self._unread.copy(), "_heard": self._heard.copy()}
        return {**self.__dict__, **copies, "_worker": None, "_pool": None, "_mould": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._mould = self.recipe.build()

    # Optional members

    def lead_in(self) -> str:
        return str(self._ask("lead_in")) if type(self._mould).lead_in is not TextGame.lead_in else ""

    def lead_ins(self) -> tuple[str, ...]:
        return self._mould.lead_ins()

    def ground_truth(self) -> str:
        return str(self._ask("ground_truth")) if self.has_ground_truth else super().ground_truth()

    def anchor(self) -> str:
        return str(self._ask("anchor")) if self.has_anchor else super().anchor()

    def board(self, seat: str) -> str:
        return str(self._ask("board", seat)) if self.has_board else super().board(seat)

    def secrets(self, seat: str) -> tuple[str, ...]:
        return tuple(self._ask("secrets", seat)) if self.has_secrets else super().secrets(seat)

    def solution(self) -> tuple[str, ...]:
        return tuple(self._ask("solution")) if self.has_solution else super().solution()

    def tools(self) -> tuple[Mapping[str, Any], ...]:
        return self._mould.tools() if self._begun is None else tuple(self._ask("tools"))


def may_block(game: TextGame) -> bool:
    """Does a call of this game wait for a worker?"""
    return _waits(type(played_game(game)))


@lru_cache(maxsize=1_024)
def _waits(kind: type[TextGame]) -> bool:
    return issubclass(kind, RemoteGame)
