"""`Puzzle`: a generated question, its exact answer, and the code of an expert; `Family`: what generates it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

LEVELS = ("easy", "medium", "hard")


class Puzzle(NamedTuple):
    """A question with one exact answer."""

    question: str
    answer: str
    """Computed in another way than `code` does."""
    code: str
    """Prints the answer."""


Family = Callable[[np.random.Generator, int], Puzzle]
"""(generator, index in `LEVELS`) -> puzzle."""


def draw(rng: np.random.Generator, low: int, high: int) -> int:
    """An integer from low to high, both included."""
    return int(rng.integers(low, high + 1))


def draws(rng: np.random.Generator, count: int, low: int, high: int) -> list[int]:
    """So many integers from low to high, both included."""
    return [int(number) for number in rng.integers(low, high + 1, size=count)]
