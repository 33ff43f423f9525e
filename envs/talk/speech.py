"""What a seat says, made safe to show: printable, not too long, and every line quoted with its speaker's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from turnwise.envs.core import IllegalAction

LONGEST_SPEECH = 1000
"""Characters of a speech that the others read."""
LONGEST_HEARD = 120
"""Characters of a speech in a compact observation."""


@dataclass(frozen=True, slots=True)
class Speech:
    """One message, as it is shown."""

    seat: str
    lines: tuple[str, ...]
    """Printable, without outer blanks, none of them empty."""
    cut: bool = False
    """The message was longer than `LONGEST_SPEECH`."""

    @property
    def text(self) -> str:
        """The whole in one line."""
        return " ".join(self.lines)


def spoken(seat: str, text: str) -> Speech:
    """The message of a seat. Raises IllegalAction where nothing in it can be shown."""
    clipped = text.strip()[:LONGEST_SPEECH]
    lines = (" ".join(_printable(line).split()) for line in clipped.splitlines())
    kept = tuple(line for line in lines if line)
    if not kept:
        raise IllegalAction("a message needs some text that can be printed")
    return Speech(seat, kept, len(text.strip()) > LONGEST_SPEECH)


def quoted(speech: Speech) -> str:
    """Every line behind `seat says:`, so that nothing that is said can pass for a line of the game."""
    lines = [f"{speech.seat} says: {line}" for line in speech.lines]
    return "\n".join([*lines, f"({speech.seat} was cut off at {LONGEST_SPEECH} characters.)"] if speech.cut else lines)


def heard(speech: Speech) -> str:
    """The same in a few words: one line, no quotation mark but the outer two."""
    text = speech.text.replace('"', "'")
    return f'{speech.seat} says "{text if len(text) <= LONGEST_HEARD else text[:LONGEST_HEARD] + "..."}"'


def news(speeches: Sequence[Speech], seat: str, since: int) -> list[str]:
    """What the others have said since so many speeches, quoted."""
    return [quoted(speech) for speech in speeches[since:] if speech.seat != seat]


def transcript(speeches: Sequence[Speech]) -> str:
    """All of it, quoted."""
    return "\n".join(quoted(speech) for speech in speeches)


def _printable(line: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in line)
