"""Values that change over a run."""

from __future__ import annotations

import math

SHAPES = ("linear", "geometric", "cosine")


def scheduled(start: float, end: float, *, hold: float, shape: str, progress: float) -> float:
    """`start` until `hold` of the run is over, then towards `end`, reached at its end.

    Args:
        hold: Share of the run, in [0, 1).
        shape: `linear`, `cosine`, or `geometric` (needs both values above 0).
        progress: Share of the run that is over, in [0, 1].
    """
    share = min(1.0, max(0.0, (progress - hold) / (1.0 - hold)))
    if shape == "geometric":
        return float(start * (end / start) ** share) if start else 0.0
    if shape == "cosine":
        share = (1.0 - math.cos(math.pi * share)) / 2.0
    return start + (end - start) * share


def check_schedule(name: str, start: float, end: float, hold: float, shape: str) -> None:
    """Raises ValueError where `scheduled` could not work."""
    if start < 0 or end < 0:
        raise ValueError(f"{name} and final_{name} are at least 0: got {start} and {end}")
    if not 0 <= hold < 1:
        raise ValueError(f"{name}_hold lies in [0, 1): got {hold}")
    if shape not in SHAPES:
        raise ValueError(f"{name}_shape is one of {', '.join(SHAPES)}: got {shape!r}")
    if shape == "geometric" and bool(start) != bool(end):
        raise ValueError(
            f"a geometric {name} neither starts from 0 nor reaches it: got {start} and final_{name}={end}; "
            f"use {name}_shape=linear"
        )
