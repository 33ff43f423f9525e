"""Small pieces of English that several games use."""

from __future__ import annotations

from collections.abc import Sequence


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`; "nothing" where there are none."""
    if len(parts) < 2:
        return "".join(parts) or "nothing"
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def counted(count: int, noun: str) -> str:
    """`1 hat`, `2 hats`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def numbers(values: Sequence[int]) -> str:
    """The values with blanks between them."""
    return " ".join(map(str, values))
