"""GDPO: every part of the reward is normalised in the group by itself, so that none drowns the others."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.annotations import reward_part
from turnwise.algorithms.credit.episodes import CreditResult
from turnwise.algorithms.credit.groups import SINGLETONS, Floats, SeatRow, seat_rows, spread_rows
from turnwise.algorithms.credit.grpo import group_advantages
from turnwise.algorithms.credit.whiten import whiten_credit
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class GDPOSettings:
    """Settings of the decoupled group advantage."""

    weights: Mapping[str, float] = field(default_factory=dict)
    """Part of the reward -> its weight after normalisation; {} takes every part with weight 1."""
    ddof: int = 1
    """Degrees of freedom taken off in a part's standard deviation: 1 (sample) or 0 (population)."""
    eps: float = 1e-6
    """Added to a part's standard deviation, in task units, >= 0."""
    singleton: str = "zero"
    """What a group of one gets: `zero`, its `raw` parts over (1 + eps), or an `error`."""
    whiten: bool = True
    """Give the sum mean 0 and spread 1 over the trained tokens of the batch."""

    def __post_init__(self) -> None:
        for part, weight in self.weights.items():
            require_between(f"weights.{part}", weight)
        require_choice("singleton", self.singleton, SINGLETONS)
        require_between("eps", self.eps, 0.0)
        if self.ddof not in (0, 1):
            raise ValueError(f"ddof is 0 (population) or 1 (sample): got {self.ddof!r}")


def decoupled_advantages(
    parts: Sequence[Sequence[float]],
    weights: Sequence[float],
    group: Sequence[Hashable],
    *,
    ddof: int = 1,
    eps: float = 1e-6,
    singleton: str = "zero",
) -> Floats:
    """sum over parts p of w_p (R_p - mean_p) / (std_p + eps), mean and std over the group; before whitening.

    Args:
        parts: [P][N] one row per part of the reward, one entry per trajectory, in task units.
        weights: [P] one per part.
        group: [N] names; equal names compare with each other.
    Returns: [N] float64 without unit.
    Raises: ValueError unless there is one weight per part, and what `group_advantages` raises.
    Source: Liu et al. 2026 (GDPO), arXiv:2601.05242.
    """
    if len(parts) != len(weights):
        raise ValueError(f"each part of the reward needs a weight: got {len(weights)} weights for {len(parts)} parts")
    total = np.zeros(len(group))
    for weight, rewards in zip(weights, parts, strict=True):
        total += weight * group_advantages(rewards, group, ddof=ddof, eps=eps, singleton=singleton)
    return total


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: GDPOSettings, learner: str = "policy"
) -> CreditResult:
    """The decoupled advantage of each seat on all of its turns, whitened over the batch. The state is always {}.

    Raises: ValueError if an episode has no group, or lacks a part of the reward that is weighted or that another has.
    """
    rows = seat_rows(episodes, learner)
    weights = dict(settings.weights) or dict.fromkeys(_names(episodes, rows), 1.0)
    parts = [[reward_part(episodes[row.place], part, row.seat) for row in rows] for part in weights]
    groups = [row.group for row in rows]
    values = decoupled_advantages(
        parts,
        list(weights.values()),
        groups,
        ddof=settings.ddof,
        eps=settings.eps,
        singleton=settings.singleton,
    )
    table = spread_rows(episodes, rows, values, learner)
    return CreditResult(whiten_credit(table, episodes) if settings.whiten else table, {})


def _names(episodes: Sequence[Episode], rows: Sequence[SeatRow]) -> list[str]:
    """Every part that any episode has, sorted. Raises ValueError where there is none at all."""
    names = {part for row in rows for part in episodes[row.place].reward_parts or {}}
    if rows and not names:
        raise ValueError(
            f"gdpo needs reward_parts: got none in {len(rows)} trajectories, the first in episode "
            f"{episodes[rows[0].place].id!r}; give the recipe a reward term, or choose grpo"
        )
    return sorted(names)
