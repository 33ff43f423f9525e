"""Games of TextArena as `TextGame`. Extra `bridges`."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, one_of
from turnwise.envs.bridges.undisturbed import OwnChance
from turnwise.envs.core import EnvFailure, IllegalAction, Step, TextGame, Unsupported

_LONGEST_MESSAGE = 100_000  # characters of a reply that TextArena is given


class TextArenaGame(TextGame):
    """One game of TextArena, in its own words and by its own rules: what is invalid there is punished there.

    name: an id of TextArena without wrappers, such as `TicTacToe-v0`. players: seats. prompt: both are the same here.
    Any text is an action. Rewards come at the end, as TextArena gives them, held to [-1, 1]. It is made anew for every
    episode, draws from a generator of its own, and an exception inside it is an EnvFailure. Games that need the network
    or an API key fail at the start. Raises ValueError for a name that TextArena lacks, or fewer than one player.
    """

    can_clone = True

    def __init__(self, name: str = "TicTacToe-v0", players: int = 2, prompt: str = "full") -> None:
        if players < 1:
            raise ValueError(f"players is at least 1: got {players}")
        one_of("prompt", prompt, PROMPTS)
        self.name, self.task = name, name
        self.seats = tuple(f"player_{number}" for number in range(players))
        self._chance = OwnChance()
        self._env: Any = None

    def start(self, rng: np.random.Generator) -> None:
        import textarena

        seed = int(rng.integers(2**31))
        known = textarena.envs.registration.ENV_REGISTRY
        if f"{self.name}-raw" not in known:
            raise ValueError(f"TextArena has no {self.name!r}: it has {', '.join(sorted(known)[:20])}, ...")
        self._env, self._over = None, False
        with self._foreign(seed):
            self._env = textarena.make(f"{self.name}-raw")
            self._env.reset(num_players=len(self.seats), seed=seed)
        self._unread: dict[str, list[str]] = {seat: [] for seat in self.seats}
        self._listen()

    def observe(self, seat: str) -> str:
        if seat not in self.seats:
            raise ValueError(f"observe needs one of the seats {', '.join(self.seats)}: got {seat!r}")
        lines, self._unread[seat] = self._unread[seat], []
        return "\n".join(lines)

    def legal(self) -> None:
        return None

    def play(self, action: str) -> Step:
        if self.seat is None:
            raise IllegalAction("the game is over")
        with self._foreign():
            over, info = self._env.step(action[:_LONGEST_MESSAGE])
            rewards = (self._env.close()[0] or {}) if over else {}
            paid = {self.seats[who]: min(1.0, max(-1.0, float(reward))) for who, reward in rewards.items()}
        self._over = bool(over)
        self._listen()
        return Step(paid, bool(over), info={"textarena": {str(key): str(value)[:200] for key, value in info.items()}})

    def sample_action(self, rng: np.random.Generator) -> str:
        """A number in brackets: a move of many of its games, and an invalid one of the others."""
        return f"[{int(rng.integers(9))}]"

    def clone(self) -> Self:
        try:
            return copy.deepcopy(self)
        except (TypeError, ValueError) as error:
            raise Unsupported(f"TextArena's {self.name} cannot be copied: {error}") from None

    def _listen(self) -> None:
        """Take over what TextArena has to tell to every seat, and who acts."""
        observations = self._env.state.observations
        for number, seat in enumerate(self.seats):
            told, observations[number] = observations.get(number, []), []
            for message in told:
                sender, text = message[0], message[1]
                self._unread[seat].append(text if sender == -1 else f"player_{sender}: {text}")
        self.seat = None if self._over else self.seats[self._env.state.current_player_id]

    def _foreign(self, seed: int | None = None) -> Any:
        return _Foreign(self._chance(seed), self.name)


class _Foreign:
    """Runs TextArena's code: with chance of its own, and every exception an EnvFailure."""

    def __init__(self, chance: Any, name: str) -> None:
        self._chance, self._name = chance, name

    def __enter__(self) -> None:
        self._chance.__enter__()

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._chance.__exit__(None, None, None)
        if isinstance(error, Exception):
            told = " ".join(str(error).split())[:200]
            raise EnvFailure(f"TextArena's {self._name} failed: {type(error).__name__}: {told}") from error
