"""Low-rank adapters: training a few weights beside frozen ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """Which adapters are trained; rank 0 for none."""

    rank: int = 0
