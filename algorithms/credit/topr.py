"""TOPR's advantage: the return less a constant, which sets how much successes count against failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.credit.episodes import CreditResult, learner_seats, spread_over_turns
from turnwise.algorithms.credit.groups import Floats, finite_rewards
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class TOPRSettings:
    """Settings of the shifted return."""

    baseline: float = 0.0
    """c, subtracted from every return, in task units. Below 0 it raises the weight of successes against failures."""

    def __post_init__(self) -> None:
        require_between("baseline", self.baseline)


def shifted(rewards: Sequence[float], baseline: float) -> Floats:
    """R - c, [N] float64 in task units. Source: Le Roux et al. 2025, arXiv:2503.14286."""
    return finite_rewards(rewards) - baseline


def effective_positive_share(advantages: Sequence[float] | Floats) -> float:
    """Share of the positive ones in the sum of |A|, in [0, 1]; 0 where all are 0.

    For rewards of +-1, a share p of successes and A = R - c it is p (1 - c) / (1 + (1 - 2 p) c).
    """
    values = np.asarray(advantages, dtype=np.float64)
    total = np.abs(values).sum()
    return float(values[values > 0].sum() / total) if total else 0.0


def expected_positive_share(successes: float, baseline: float) -> float:
    """`effective_positive_share` for rewards of +-1 where a share `successes` of them, in [0, 1], is +1.

    Raises: ValueError unless -1 <= baseline <= 1: beyond, one kind of sample changes its sign.
    """
    require_between("successes", successes, 0.0, 1.0)
    require_between("baseline", baseline, -1.0, 1.0)
    return successes * (1.0 - baseline) / (1.0 + (1.0 - 2.0 * successes) * baseline)


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: TOPRSettings, learner: str = "policy"
) -> CreditResult:
    """R - c of each seat on all of its turns. The state is always {}."""
    per_seat = [
        {seat: episode.returns[seat] - settings.baseline for seat in learner_seats(episode, learner)}
        for episode in episodes
    ]
    table = spread_over_turns(episodes, per_seat, learner)
    share = effective_positive_share([value for of in per_seat for value in of.values()])
    return CreditResult(table, {}, metrics={"effective_positive_share": share})
