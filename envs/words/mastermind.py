"""Mastermind: find a code of digits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from turnwise.envs.arguments import one_of
from turnwise.envs.core import IllegalAction
from turnwise.envs.words.game import GuessingGame, Tried
from turnwise.envs.words.guess import LONGEST_ECHO

SETTINGS = {"easy": (3, 4, 8), "medium": (4, 6, 10), "hard": (5, 8, 12)}
"""Level -> (positions, colours, guesses)."""


def mastermind(
    *,
    level: str = "medium",
    positions: int | None = None,
    colours: int | None = None,
    guesses: int | None = None,
    duplicates: bool = True,
    dense: bool = False,
    prompt: str = "full",
) -> GuessingGame:
    """Find a code of digits; after every guess one reads how many digits are right, and how many are elsewhere.

    Args:
        level: easy (3 of 4 digits, 8 guesses), medium (4 of 6, 10), hard (5 of 8, 12).
        positions, colours, guesses: In place of the level's; the digits are 1 to colours, at most 9.
        duplicates: A digit may come several times in the code.
        dense: Pay half of the reward for digits in their place, by the best guess so far.
        prompt: full or compact.
    Reward: 1 for the code within the guesses, else 0. Knuth's strategy finds each code of 4 of 6 in 5 guesses.
    Raises ValueError on a bad argument.
    """
    one_of("level", level, SETTINGS)
    standard = SETTINGS[level]
    given = positions or standard[0], colours or standard[1], guesses or standard[2]
    rules = MastermindRules(*given, duplicates)
    return GuessingGame(rules, level=level, levels=tuple(SETTINGS), dense=dense, prompt=prompt)


def pegs(guess: str, secret: str) -> tuple[int, int]:
    """(digits in their place, further digits that stand elsewhere)."""
    exact = sum(one == other for one, other in zip(guess, secret, strict=True))
    return exact, (Counter(guess) & Counter(secret)).total() - exact


@dataclass(frozen=True, slots=True)
class MastermindRules:
    """Rules of `GuessingGame`."""

    positions: int
    colours: int
    guesses: int
    duplicates: bool

    def __post_init__(self) -> None:
        if not (1 <= self.positions <= 9 and 2 <= self.colours <= 9 and self.guesses >= 1):
            raise ValueError(
                "positions lie between 1 and 9, colours between 2 and 9, guesses are at least 1: "
                f"got {self.positions}, {self.colours} and {self.guesses}"
            )
        if not self.duplicates and self.positions > self.colours:
            raise ValueError(f"without duplicates {self.positions} positions need as many colours: got {self.colours}")

    def draw(self, rng: np.random.Generator) -> str:
        digits = 1 + rng.choice(self.colours, size=self.positions, replace=self.duplicates)
        return "".join(map(str, digits.tolist()))

    def check(self, guess: str, tried: Tried) -> None:
        digits = "123456789"[: self.colours]
        if len(guess) != self.positions or any(digit not in digits for digit in guess):
            raise IllegalAction(
                f"a guess has {self.positions} digits from 1 to {self.colours}: got {guess[:LONGEST_ECHO]!r}"
            )
        if not self.duplicates and len(set(guess)) < len(guess):
            raise IllegalAction(f"no digit comes twice: got {guess!r}")

    def marks(self, guess: str, secret: str) -> str:
        return "{}+{}".format(*pegs(guess, secret))

    def explain(self, guess: str, marks: str) -> str:
        exact, _, elsewhere = marks.partition("+")
        return f"{guess}: {exact} right, {elsewhere} elsewhere."

    def introduction(self) -> str:
        example = "".join(str(1 + place % self.colours) for place in range(self.positions))
        return (
            f"This is Mastermind. Find a secret code of {self.positions} digits from 1 to {self.colours} in at most "
            f"{self.guesses} guesses. {'A' if self.duplicates else 'No'} digit may come more than once. After each "
            "guess you read how many of its digits are right (in their place), and how many more are elsewhere.\n"
            f"Answer with a code in square brackets, for example [{example}]."
        )

    def state(self) -> str:
        return f"{self.positions} of 1-{self.colours}"

    def sample(self, tried: Tried, rng: np.random.Generator) -> str:
        return self.draw(rng)

    def progress(self, tried: Tried) -> float:
        return max((int(marks.partition("+")[0]) for _, marks in tried), default=0) / self.positions
