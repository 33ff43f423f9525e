"""A game whose environment fails on demand, for tests of what is begun again and what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from turnwise.envs.core import EnvFailure, IllegalAction, Step, TextGame

TROUBLE: Counter[str] = Counter()
"""Task of an episode -> how often its second reply breaks the environment from now on."""


class Flaky(TextGame):
    """Two seats name a digit each; who named the larger one wins, and the task decides a draw."""

    seats = ("player_0", "player_1")
    utility_bounds = (-1.0, 1.0)

    def start(self, rng: np.random.Generator) -> None:
        self.number, self.seat = int(rng.integers(10**6)), "player_0"
        self.task, self.said = f"task {self.number}", []

    def observe(self, seat: str) -> str:
        return f"digit, not {self.number % 10}"

    def legal(self) -> Sequence[str]:
        return tuple(str(digit) for digit in range(10))

    def play(self, action: str) -> Step:
        if action not in self.legal():
            raise IllegalAction("a digit from 0 to 9")
        self.said.append(int(action))
        if len(self.said) == 1:
            self.seat = "player_1"
            return Step({})
        if TROUBLE[str(self.task)]:
            TROUBLE[str(self.task)] -= 1
            raise EnvFailure("the table fell over")
        self.seat = None
        first, second = self.said
        won = 1.0 if first > second or (first == second and self.number % 2) else -1.0
        return Step({"player_0": won, "player_1": -won}, terminated=True)
