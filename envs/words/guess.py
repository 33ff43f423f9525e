"""What the guessing games share: reading a guess, and the settings that all of them check."""

from __future__ import annotations

from collections.abc import Iterable

from turnwise.envs.parsing import read_action

SEAT = "player_0"
LONGEST_ECHO = 30
"""Characters of a wrong guess that a reason repeats."""


def named(action: str) -> str:
    """The guess in square brackets, else the whole text; lower case, no blanks."""
    return "".join((read_action(action, ()) or action).split()).lower()


def require(name: str, value: object, allowed: Iterable[object]) -> None:
    """Raises ValueError unless the value is one of these."""
    known = list(allowed)
    if value not in known:
        raise ValueError(f"{name} is one of {', '.join(map(str, known))}: got {value!r}")
