"""What a seat reads: rules, turns, and the short form for tiny models."""

from __future__ import annotations

import re
from collections.abc import Sequence

_OBJECTIVE, _FEEDBACK, _COMMANDS = 130, 120, 220  # characters in the short form
_GREETING = re.compile(
    r"[^.!?]*TextWorld( today, there is something I need you to do for me)?[.!?]\s*"
    r"(You do!\s*)?(Here is (your task for today|how to play)[.!]\s*)?"
)

RULES = (
    "This is a text adventure. You are in a world of rooms and things, and you act by short commands, such as "
    "go north, take key from box, open door, unlock door with key, put book on shelf, inventory, look."
)
HOW_LISTED = (
    "Answer with one of the commands that you are told to be possible, in square brackets, for example [go north]."
)
HOW_FREE = "Answer with one command in square brackets, for example [go north]."
STOPPED = "The game was stopped after {steps} commands."


def introduction(objective: str, admissible: bool, max_steps: int) -> str:
    """What is read first, before the first room."""
    how = HOW_LISTED if admissible else HOW_FREE
    goal = f"\nYour task: {objective}" if objective else ""
    return f"{RULES} You have {max_steps} commands. {how}{goal}"


def possible(commands: Sequence[str]) -> str:
    """The admissible commands, as answers."""
    return "Possible: " + ", ".join(f"[{command}]" for command in commands)


def compact(objective: str, room: str, feedback: str, commands: Sequence[str], steps: tuple[int, int]) -> str:
    """One short text that stands by itself: task, room, what the latest command led to, what can be done.

    Long texts are clipped. steps: (commands so far, most commands).
    """
    lines = [f"task: {clip(task_only(objective), _OBJECTIVE)}"] if objective else []
    lines.append(f"at {room}, step {steps[0]} of {steps[1]}")
    told = " ".join(feedback.replace(f"-= {room} =-", "").split())
    lines.append(told if len(told) <= _FEEDBACK else "..." + told[3 - _FEEDBACK :])  # exits and things come last
    if commands:
        lines.append(f"can: {_short_list(commands)}")
    return "\n".join(filter(None, lines))


def task_only(objective: str) -> str:
    """The objective without the greeting that most of TextWorld's begin with."""
    return _GREETING.sub("", objective) or objective


def clip(text: str, most: int) -> str:
    """The text, or its beginning with three dots where it is longer than `most` characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def _short_list(commands: Sequence[str]) -> str:
    """The commands; where they are too many, first those go that only look at things."""
    whole = ", ".join(commands)
    if len(whole) > _COMMANDS:
        whole = ", ".join(command for command in commands if not command.startswith("examine"))
    return clip(whole, _COMMANDS)
