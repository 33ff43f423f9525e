"""What own games ask of their arguments and of the texts that they are given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from turnwise.envs.core import IllegalAction

SOLO = ("player_0",)
"""The seats of a game for one."""
PROMPTS = ("full", "compact")
_SHOWN = 40  # characters of an unusable text that a reason repeats


def one_of(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """The value. Raises ValueError where it is none of the allowed ones."""
    known = list(allowed)
    if value not in known:
        raise ValueError(f"{name} is one of {', '.join(map(str, known))}: got {value!r}")
    return value


def whole(name: str, value: Any, low: int, high: int) -> int:
    """The value. Raises ValueError where it is no whole number from low to high."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} is a whole number from {low} to {high}: got {value!r}")
    return value


def clipped(text: str) -> str:
    """The text in quotes, its end left out where it is long."""
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."


def need_seat(seat: str, seats: Sequence[str]) -> None:
    """Raises ValueError where a game has no such seat."""
    if seat not in seats:
        raise ValueError(f"observe needs one of the seats {', '.join(seats)}: got {seat!r}")


def need_legal(action: str, legal: Sequence[str], seat: str | None, form: str) -> None:
    """Raises IllegalAction where nobody acts or the action is not legal. form: what an action looks like, in words."""
    if seat is None:
        raise IllegalAction("the game is over")
    if action not in legal:
        raise IllegalAction(f"{clipped(action)} is not possible now: {form}")


def bracketed(names: Sequence[str]) -> str:
    """`[up], [left]`: how answers are listed."""
    return ", ".join(f"[{name}]" for name in names)
