"""`Bifurcation`: a road with many forks, of which one decides."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, SOLO, bracketed, need_legal, need_seat, one_of, whole
from turnwise.envs.core import Step, TextGame

WAYS = ("north", "east", "south", "west")


@dataclass(frozen=True, slots=True)
class Size:
    """How many forks there are, and how many ways lead on at each."""

    turns: int
    ways: int


LEVELS = {"easy": Size(4, 2), "medium": Size(6, 3), "hard": Size(10, 4)}


class Bifurcation(TextGame):
    """A road with `turns` forks. At one of them, drawn uniformly and told at the start, the way that is taken decides
    whether the walk ends well; a sign stands there and points to the right way, drawn uniformly too. The other forks
    do not matter.

    Reward: 1 for the right way at the fork that decides, else 0; paid after the last fork, or at once with
    `dense=True`. Optimum: 1. Random play: 1 / ways.
    """

    seats = SOLO
    utility_bounds = (0.0, 1.0)
    can_clone = has_anchor = has_board = has_ground_truth = has_solution = True
    levels = tuple(LEVELS)

    def __init__(
        self,
        *,
        level: str = "easy",
        turns: int | None = None,
        ways: int | None = None,
        dense: bool = False,
        prompt: str = "full",
    ) -> None:
        """turns (1 to 50), ways (2 to 4): in place of the level's. Raises ValueError."""
        usual = LEVELS[one_of("level", level, self.levels)]
        self.settings = Size(
            whole("turns", usual.turns if turns is None else turns, 1, 50),
            whole("ways", usual.ways if ways is None else ways, 2, len(WAYS)),
        )
        self.level = level if self.settings == usual else None
        self.dense_rewards = dense
        self._compact = one_of("prompt", prompt, PROMPTS) == "compact"
        self._names = WAYS[: self.settings.ways]

    def start(self, rng: np.random.Generator) -> None:
        self._decisive = 1 + int(rng.integers(self.settings.turns))
        self._right = self._names[int(rng.integers(self.settings.ways))]
        self._taken: str | None = None
        self._fork = 1
        self._news = self._rules()
        self._unread = True
        self.seat = SOLO[0]

    def observe(self, seat: str) -> str:
        need_seat(seat, self.seats)
        if not self._unread:
            return ""
        self._unread = False
        if self._compact:
            return self._compact_text()
        return self._news if self.seat is None else f"{self._news}{self._here()}"

    def legal(self) -> tuple[str, ...]:
        """The ways that lead on, the same at every fork."""
        return self._names if self.seat else ()

    def play(self, action: str) -> Step:
        need_legal(action, self.legal(), self.seat, f"the ways are {bracketed(self._names)}")
        decided = self._fork == self._decisive
        if decided:
            self._taken = action
        over = self._fork == self.settings.turns
        self._fork += 1
        self._unread = True
        self._news = f"You went {action}. "
        if over:
            self.seat = None
            self._news += f"The road ends. You went {'the right' if self._won() else 'a wrong'} way at the fork that "
            self._news += "decided."
        paid = decided if self.dense_rewards else over
        return Step({SOLO[0]: float(paid and self._won())}, terminated=over)

    def clone(self) -> Self:
        return copy.copy(self)  # every attribute is immutable

    def ground_truth(self) -> str:
        """The right way at the fork that decides."""
        return self._right

    def anchor(self) -> str:
        """The fork, which one decides, and what has come of it. What was done at other forks is left out."""
        return f"{self._fork}/{self.settings.turns}/{self.settings.ways} {self._told()}"

    def board(self, seat: str) -> str:
        need_seat(seat, self.seats)
        return f"The fork that decides is fork {self._decisive}. {self._outcome()}{self._here()}"

    def solution(self) -> tuple[str, ...]:
        """The first way at every fork that is left, and the right one where it matters."""
        return tuple(
            self._right if fork == self._decisive else self._names[0]
            for fork in range(self._fork, self.settings.turns + 1)
        )

    def _won(self) -> bool:
        return self._taken == self._right

    def _rules(self) -> str:
        return (
            f"You walk a road with {self.settings.turns} forks. Fork {self._decisive} decides whether you arrive: "
            "a sign there points to the right way. At the other forks any way will do.\n"
            f"Answer with a way in square brackets, for example [{self._names[0]}].\n"
        )

    def _here(self) -> str:
        if self.seat is None:
            return "The road has ended."
        sign = f"A sign points {self._right}. " if self._fork == self._decisive else ""
        return f"Fork {self._fork} of {self.settings.turns}. {sign}Ways: {bracketed(self._names)}."

    def _outcome(self) -> str:
        return "" if self._taken is None else f"You went {self._taken} there; the sign pointed {self._right}. "

    def _told(self) -> str:
        """What the seat knows of the fork that decides."""
        if self._taken is not None:
            return f"fork {self._decisive} {'right' if self._won() else 'wrong'}"
        return f"fork {self._decisive} sign {self._right}" if self._fork == self._decisive else f"fork {self._decisive}"

    def _compact_text(self) -> str:
        if self.seat is None:
            return f"over {'won' if self._won() else 'lost'}"
        return f"at {self._fork} of {self.settings.turns} {self._told()}"
