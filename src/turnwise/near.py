"""`near`: the nearest name there is to one that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_SHOWN = 60
"""Names that a person would read."""


def near(word: str, known: Iterable[str], *, told: bool = False) -> str:
    """`; did you mean X?` with the nearest known word. Where none is near: nothing, or with `told` what is known."""
    words = list(known)
    found = difflib.get_close_matches(word, words, n=1)
    if found or not told:
        return f"; did you mean {found[0]!r}?" if found else ""
    more = f" and {len(words) - MOST_SHOWN} more" if len(words) > MOST_SHOWN else ""
    return f"; known: {', '.join(words[:MOST_SHOWN])}{more}"
