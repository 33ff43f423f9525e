"""The shipped topics of debates: `topics.txt`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("topics.txt")
MOST_SIDES = 4


@dataclass(frozen=True, slots=True)
class Topic:
    """A question and the sides that answer it."""

    question: str
    sides: tuple[str, ...]


@cache
def topics() -> tuple[Topic, ...]:
    """All of them, in the order of the file."""
    lines = [line for line in SOURCE.read_text(encoding="ascii").splitlines() if line and not line.startswith("#")]
    split = [[part.strip() for part in line.split("|")] for line in lines]
    return tuple(Topic(question, tuple(sides)) for question, *sides in split)
