"""What the guessing games share: the seat, and reading a guess."""

from __future__ import annotations

from turnwise.envs.parsing import read_action

SEAT = "player_0"
LONGEST_ECHO = 30
"""Characters of a wrong guess that a reason repeats."""


def named(action: str) -> str:
    """The guess in square brackets, else the whole text; lower case, no blanks."""
    return "".join((read_action(action, ()) or action).split()).lower()
