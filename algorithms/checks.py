"""Checks of settings that every method shares: what was needed, what came, what to do."""

from __future__ import annotations

import math
from collections.abc import Sequence

from turnwise.near import near


class NotFinite(RuntimeError):
    """A loss or gradient was NaN or infinite; the weights were not touched."""


def require_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raises ValueError, naming the nearest valid one, unless `value` is one of `choices`."""
    if value in choices:
        return
    raise ValueError(f"{name} is one of {', '.join(choices)}: got {value!r}{near(str(value), choices)}")


def require_between(
    name: str, value: float, low: float = -math.inf, high: float = math.inf, *, open_low: bool = False
) -> None:
    """Raises ValueError unless `value` is a finite number in [low, high], or in (low, high] with `open_low`."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if is_number and (low < value if open_low else low <= value) and value <= high:
        return
    left = "(" if open_low or low == -math.inf else "["
    right = ")" if high == math.inf else "]"
    raise ValueError(f"{name} is a finite number in {left}{low:g}, {high:g}{right}: got {value!r}")


class NothingPlayed(RuntimeError):
    """Not one group of a step could be completed."""


class Lost(RuntimeError):
    """Another process of the run did not come to where all of them meet."""
