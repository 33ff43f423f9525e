"""The shipped word lists, read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
LENGTHS = (4, 5, 6, 7, 8)


@cache
def words(kind: str, length: int) -> tuple[str, ...]:
    """`common` words may be secrets, `allowed` ones guesses; in the order of the alphabet."""
    return tuple((FOLDER / f"{kind}_{length}.txt").read_text(encoding="ascii").split())


@cache
def allowed(length: int) -> frozenset[str]:
    """Words that may be guessed."""
    return frozenset(words("allowed", length)) | frozenset(words("common", length))
