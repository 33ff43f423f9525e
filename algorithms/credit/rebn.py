"""REINFORCE with return batch normalisation: a turn's reward-to-go among those of all turns of the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit import returns
from turnwise.algorithms.credit.episodes import CreditResult
from turnwise.algorithms.credit.groups import Floats, centred, finite_rewards, ratio_or_zero, spread
from turnwise.algorithms.credit.whiten import flat, refilled
from turnwise.records import Episode

STDS = {"population": 0, "sample": 1}
"""Name -> degrees of freedom taken off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReBNSettings:
    """Settings of return batch normalisation."""

    gamma: float = 1.0
    """Discount per turn of the same seat, in [0, 1]; below 1 it is what rewards short solutions."""
    std: str = "population"
    """Which standard deviation divides: `population` or `sample`."""
    eps: float = 1e-9
    """Added to the standard deviation, in task units, >= 0."""

    def __post_init__(self) -> None:
        require_between("gamma", self.gamma, 0.0, 1.0)
        require_choice("std", self.std, tuple(STDS))
        require_between("eps", self.eps, 0.0)


def normalised(values: Sequence[float], *, std: str = "population", eps: float = 1e-9) -> Floats:
    """(G - mean) / (std + eps) over all that is given, in two passes, so that it never goes NaN by cancellation.

    Args:
        values: [N] reward-to-go of every turn of the batch, in task units.
    Returns: [N] float64 without unit; exactly 0 where all are equal.
    Raises: ValueError on an unknown `std`, a negative `eps`, values that are not finite.
    Source: Liu et al. 2025 (GEM), arXiv:2510.01051.
    """
    ReBNSettings(std=std, eps=eps)
    row = finite_rewards(values)
    one_group = np.zeros(len(row), dtype=np.intp)
    return ratio_or_zero(centred(row, one_group), spread(row, one_group, STDS[std]) + eps)


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: ReBNSettings, learner: str = "policy"
) -> CreditResult:
    """The normalised reward-to-go of every trained turn, each turn counted once. The state is always {}."""
    to_go = returns.credit(episodes, {}, returns.ReturnSettings(discount=settings.gamma), learner).advantages
    return CreditResult(refilled(to_go, normalised(flat(to_go).tolist(), std=settings.std, eps=settings.eps)), {})
