"""The shipped general knowledge: `facts.txt`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("facts.txt")


@dataclass(frozen=True, slots=True)
class Claims:
    """One true statement and false ones of the same form."""

    kind: str
    truth: str
    lies: tuple[str, ...]
    """Three, all different."""


@cache
def facts(level: str) -> tuple[Claims, ...]:
    """What is known at a level, in the order of the file."""
    text = SOURCE.read_text(encoding="ascii")
    part = text.partition(f"[{level}]\n")[2].partition("\n[")[0]
    return tuple(_claims(line) for line in part.splitlines() if line)


def _claims(line: str) -> Claims:
    before, _, rest = line.partition("{")
    inside, _, after = rest.partition("}")
    truth, *lies = (f"{before}{filling}{after}" for filling in inside.split("|"))
    return Claims("knowledge", truth, tuple(lies))
