"""`GuessingGame`: a secret, a number of guesses, and what is told of each; the rules come as a record."""

from __future__ import annotations

import copy
from typing import Protocol, Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, one_of
from turnwise.envs.core import IllegalAction, Step, TextGame
from turnwise.envs.words.guess import SEAT, named

Tried = tuple[tuple[str, str], ...]
"""(guess, marks) of every guess so far."""


class Rules(Protocol):
    """What makes one guessing game differ from another: a frozen record of its settings."""

    @property
    def guesses(self) -> int:
        """Guesses in a game."""

    def draw(self, rng: np.random.Generator) -> str:
        """A secret."""

    def check(self, guess: str, tried: Tried) -> None:
        """Raises IllegalAction for what is no guess now."""

    def marks(self, guess: str, secret: str) -> str:
        """What is told of a guess, in a few characters."""

    def explain(self, guess: str, marks: str) -> str:
        """The same in words."""

    def introduction(self) -> str:
        """The rules, and how to answer."""

    def state(self) -> str:
        """What the secret looks like, in a few words."""

    def sample(self, tried: Tried, rng: np.random.Generator) -> str:
        """A random guess that `check` takes."""

    def progress(self, tried: Tried) -> float:
        """How much of the secret the guesses have found, in [0, 1]."""


class GuessingGame(TextGame):
    """Find a secret in a number of guesses.

    dense: pay 0.5 times the progress as it is made, and the rest for the secret; else 1 for the secret alone. What is
    no guess by the rules is illegal and uses none up.
    """

    seats = (SEAT,)
    utility_bounds = (0.0, 1.0)
    can_clone = has_ground_truth = has_anchor = has_board = has_solution = True

    def __init__(
        self, rules: Rules, *, level: str, levels: tuple[str, ...], dense: bool = False, prompt: str = "full"
    ) -> None:
        one_of("prompt", prompt, PROMPTS)
        self.rules, self.level, self.levels = rules, level, levels
        self.dense_rewards, self.compact = dense, prompt == "compact"
        self._secret = ""

    def start(self, rng: np.random.Generator) -> None:
        self._secret = self.rules.draw(rng)
        self._tried: Tried = ()
        self._read = -1
        self.seat = SEAT

    def observe(self, seat: str) -> str:
        if self._read == len(self._tried):
            return ""
        first, self._read = self._read < 0, len(self._tried)
        if self.compact:
            return self.board(seat)
        told = self.rules.introduction() if first else self.rules.explain(*self._tried[-1])
        return f"{told}\n{self._left()}"

    def board(self, seat: str) -> str:
        tried = " ".join(f"{guess}:{marks}" for guess, marks in self._tried)
        return f"{tried} {self.rules.state()}, {self.rules.guesses - len(self._tried)} left".strip()

    def legal(self) -> None:
        return None

    def play(self, action: str) -> Step:
        if self.seat is None:
            raise IllegalAction("the game is over")
        guess = named(action)
        self.rules.check(guess, self._tried)
        before = self.rules.progress(self._tried)
        self._tried = (*self._tried, (guess, self.rules.marks(guess, self._secret)))
        won = guess == self._secret
        over = won or len(self._tried) == self.rules.guesses
        self.seat = None if over else SEAT
        reward = 0.5 * (self.rules.progress(self._tried) - before) + 0.5 * won if self.dense_rewards else float(won)
        return Step({SEAT: reward}, terminated=over)

    def sample_action(self, rng: np.random.Generator) -> str:
        return f"[{self.rules.sample(self._tried, rng)}]"

    def ground_truth(self) -> str:
        return self._secret

    def solution(self) -> tuple[str, ...]:
        return (f"[{self._secret}]",) if self.seat else ()

    def anchor(self) -> str:
        return self.board(SEAT)

    def clone(self) -> Self:
        return copy.copy(self)  # a state of immutable values

    def _left(self) -> str:
        left = self.rules.guesses - len(self._tried)
        if self.seat is None:
            return "You have found it." if self._tried[-1][0] == self._secret else f"It was {self._secret}."
        return f"{left} guess{'es' if left > 1 else ''} left."
