"""Group-relative advantages (GRPO) and their relatives: Dr.GRPO without a divisor, batch scaling as in TRL."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.episodes import CreditResult
from turnwise.algorithms.credit.groups import (
    SINGLETONS,
    Floats,
    Ids,
    alone,
    centred,
    credit_by_group,
    finite_rewards,
    for_groups_of_one,
    group_ids,
    ratio_or_zero,
    spread,
)
from turnwise.records import Episode

SCOPES = ("group", "batch", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPOSettings:
    """Settings of the group-relative advantage."""

    centre: str = "group"
    """Whose mean is subtracted: the `group`'s, the whole `batch`'s, or `none`."""
    scale: str = "group"
    """Whose standard deviation divides: the `group`'s, that of all raw returns of the `batch`, or `none` (Dr.GRPO)."""
    ddof: int = 1
    """Degrees of freedom taken off in the standard deviation: 1 (sample) or 0 (population)."""
    eps: float = 1e-6
    """Added to the standard deviation, in task units, >= 0."""
    singleton: str = "zero"
    """What a group of one gets: `zero`, its `raw` return over (1 + eps), or an `error`."""
    keep_equal: bool = True
    """Train on groups whose returns are all equal too; False drops them (DAPO's dynamic sampling)."""

    def __post_init__(self) -> None:
        require_choice("centre", self.centre, SCOPES)
        require_choice("scale", self.scale, SCOPES)
        require_choice("singleton", self.singleton, SINGLETONS)
        require_between("eps", self.eps, 0.0)
        if self.ddof not in (0, 1):
            raise ValueError(f"ddof is 0 (population) or 1 (sample): got {self.ddof!r}")


def group_advantages(
    rewards: Sequence[float],
    group: Sequence[Hashable],
    *,
    centre: str = "group",
    scale: str = "group",
    ddof: int = 1,
    eps: float = 1e-6,
    singleton: str = "zero",
) -> Floats:
    """(R - mean) / (std + eps), mean and std each over the group, the batch or not at all.

    Args:
        rewards: [N] one per trajectory, in task units.
        group: [N] names; equal names compare with each other.
    Returns: [N] float64, without unit where `scale` is group or batch, else in task units. Equal rewards give exactly
        0 where they are centred.
    Raises: ValueError on settings outside their range, on rewards that are not finite, on a group of one with
        `singleton="error"`.
    Source: Shao et al. 2024 (GRPO), arXiv:2402.03300; scale none: Liu et al. 2025 (Dr.GRPO), arXiv:2503.20783.
    """
    GRPOSettings(centre=centre, scale=scale, ddof=ddof, eps=eps, singleton=singleton)
    values = finite_rewards(rewards)
    ids = group_ids(group, len(values))
    scopes: dict[str, Ids] = {"group": ids, "batch": np.zeros_like(ids)}
    difference = values if centre == "none" else centred(values, scopes[centre])
    divisor = np.ones_like(values) if scale == "none" else spread(values, scopes[scale], ddof) + eps
    advantages = ratio_or_zero(difference, divisor)
    if "group" not in (centre, scale):
        return advantages
    single_divisor = np.where(alone(ids), 1.0 + eps, divisor) if scale == "group" else divisor
    return for_groups_of_one(advantages, ratio_or_zero(values, single_divisor), ids, singleton)


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: GRPOSettings, learner: str = "policy"
) -> CreditResult:
    """The group-relative advantage of each seat's return on all of its turns. The state is always {}."""
    estimate = partial(
        group_advantages,
        centre=settings.centre,
        scale=settings.scale,
        ddof=settings.ddof,
        eps=settings.eps,
        singleton=settings.singleton,
    )
    return CreditResult(credit_by_group(episodes, learner, estimate, settings.keep_equal), {})
