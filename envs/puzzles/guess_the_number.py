"""`GuessTheNumber`: find a whole number by asking higher or lower."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, SOLO, need_legal, need_seat, one_of, whole
from turnwise.envs.core import Step, TextGame


@dataclass(frozen=True, slots=True)
class Size:
    """The largest number (the smallest is 1), and how many guesses there are."""

    high: int
    guesses: int


LEVELS = {"easy": Size(10, 5), "medium": Size(100, 9), "hard": Size(1000, 10)}


def middle(low: int, high: int) -> int:
    """The guess that halves what is left: the lower middle of low to high."""
    return (low + high) // 2


def bisection(low: int, high: int, number: int) -> tuple[int, ...]:
    """The guesses with which halving finds the number among low to high, itself the last of them."""
    guesses: list[int] = []
    while not guesses or guesses[-1] != number:
        guess = middle(low, high)
        guesses.append(guess)
        low, high = (guess + 1, high) if guess < number else (low, guess - 1)
    return tuple(guesses)


class GuessTheNumber(TextGame):
    """A number from 1 to `high` is drawn uniformly; after every guess the seat is told whether it is higher or lower.

    Reward: 1 for a hit within `guesses`, else 0 when they are used up; both end the game. Optimum: 1 wherever
    2 ** guesses > high, by halving: 4 guesses for 10 numbers, 7 for 100, 10 for 1000.
    """

    seats = SOLO
    utility_bounds = (0.0, 1.0)
    can_clone = has_anchor = has_board = has_ground_truth = has_solution = True
    levels = tuple(LEVELS)

    def __init__(
        self, *, level: str = "easy", high: int | None = None, guesses: int | None = None, prompt: str = "full"
    ) -> None:
        """high (2 to 10000), guesses (1 to 100): in place of the level's. Raises ValueError."""
        usual = LEVELS[one_of("level", level, self.levels)]
        self.settings = Size(
            whole("high", usual.high if high is None else high, 2, 10_000),
            whole("guesses", usual.guesses if guesses is None else guesses, 1, 100),
        )
        self.level = level if self.settings == usual else None
        self._compact = one_of("prompt", prompt, PROMPTS) == "compact"
        self._names = tuple(str(number) for number in range(1, self.settings.high + 1))

    def start(self, rng: np.random.Generator) -> None:
        self._number = int(rng.integers(1, self.settings.high + 1))
        self._low, self._high = 1, self.settings.high
        self._asked: list[int] = []
        self._news = self._rules()
        self._unread = True
        self.seat = SOLO[0]

    def observe(self, seat: str) -> str:
        need_seat(seat, self.seats)
        if not self._unread:
            return ""
        self._unread = False
        return self._compact_text() if self._compact else self._news

    def legal(self) -> tuple[str, ...]:
        """Every number of the range, those that are ruled out already too."""
        return self._names if self.seat else ()

    def play(self, action: str) -> Step:
        need_legal(action, self.legal(), self.seat, f"guess a whole number from 1 to {self.settings.high}")
        guess = int(action)
        self._asked.append(guess)
        self._unread = True
        hit, left = guess == self._number, self.settings.guesses - len(self._asked)
        if guess < self._number:
            self._low = max(self._low, guess + 1)
        elif not hit:
            self._high = min(self._high, guess - 1)
        if hit or not left:
            self.seat = None
            self._news = f"{guess} is right: you win." if hit else f"{self._answer(guess)} {self._lost()}"
            return Step({SOLO[0]: float(hit)}, terminated=True)
        self._news = f"{self._answer(guess)} Guesses left: {left}."
        return Step({SOLO[0]: 0.0})

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def ground_truth(self) -> str:
        return str(self._number)

    def anchor(self) -> str:
        return f"{self._low} {self._high} {self.settings.guesses - len(self._asked)}"

    def board(self, seat: str) -> str:
        told = [self._answer(guess) for guess in self._asked if guess != self._number]
        left = f"A number from 1 to {self.settings.high}. Guesses left: {self.settings.guesses - len(self._asked)}."
        return "\n".join([left, *told])

    def solution(self) -> tuple[str, ...]:
        """The guesses of halving what is still possible, until the hit or until no guess is left."""
        if self.seat is None:
            return ()
        found = bisection(self._low, self._high, self._number)
        return tuple(map(str, found[: self.settings.guesses - len(self._asked)]))

    def _rules(self) -> str:
        size = self.settings
        return (
            f"I have drawn a whole number from 1 to {size.high}. You have {size.guesses} guesses to find it. After "
            "each guess I say whether my number is higher or lower.\n"
            f"Answer with your guess in square brackets, for example [{middle(1, size.high)}]."
        )

    def _answer(self, guess: int) -> str:
        return f"My number is {'higher' if guess < self._number else 'lower'} than {guess}."

    def _lost(self) -> str:
        return f"The game is over: that was the last guess. My number was {self._number}."

    def _compact_text(self) -> str:
        if self.seat is None:
            return f"over {'won' if self._asked[-1] == self._number else 'lost'}"
        return f"number {self._low} to {self._high} guesses {self.settings.guesses - len(self._asked)}"
