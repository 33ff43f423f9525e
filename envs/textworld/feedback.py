"""What TextWorld's interpreter prints, without banner, status line, prompts and blank lines."""

from __future__ import annotations

import re

_BANNER = re.compile(r"[\s_$|\\/>]*")  # the name TEXTWORLD, drawn with these characters
_STATUS = re.compile(r"\s*>\s*(-= .* =-\s*-?\d+/\d+)?\s*")
_ROOM = re.compile(r"-= (.+) =-")
_MENU = "Would you like to RESTART"  # asked when the game is over
_BRACKETS = str.maketrans("[]", "()")


def clean(printed: str) -> str:
    """The lines of a printed text that tell something. Square brackets, which are for answers, become round."""
    lines = [line.strip() for line in printed.translate(_BRACKETS).splitlines()]
    told = [line for line in lines if not (_BANNER.fullmatch(line) or _STATUS.fullmatch(line))]
    return "\n".join(line for line in told if not line.startswith(_MENU))


def room_in(text: str) -> str | None:
    """The room whose description stands in a text, the last if there are several; None where there is none."""
    found = _ROOM.findall(text)
    return found[-1] if found else None


def after_objective(text: str, objective: str) -> str:
    """The first text of a game without the objective that opens it."""
    opening = clean(objective)
    return text.removeprefix(opening).strip() if opening else text
