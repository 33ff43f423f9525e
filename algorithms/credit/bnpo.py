"""BNPO: the spread of success rates over the batch decides how much a group of a given rate counts."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.credit.annotations import reward_part
from turnwise.algorithms.credit.episodes import CreditResult
from turnwise.algorithms.credit.groups import Floats, centred, finite_rewards, group_ids, seat_rows, spread_rows
from turnwise.records import Episode

NO_SPREAD = 1e-12
"""Variance of the success rates below which all groups weigh 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BNPOSettings:
    """Settings of Beta normalisation."""

    lowest: float | None = None
    """Reward that counts as 0, in task units; null: the lowest of the batch."""
    highest: float | None = None
    """Reward that counts as 1, in task units; null: the highest of the batch."""
    clamp: bool = False
    """Keep the success rate of a group of n inside [1 / 2n, 1 - 1 / 2n] when it is weighed."""
    cap: float = 1e6
    """Largest weight of a group, > 0."""
    parts: tuple[str, ...] = ()
    """Parts of the reward that are normalised one by one and averaged; () takes the whole return."""

    def __post_init__(self) -> None:
        for name in ("lowest", "highest"):
            if getattr(self, name) is not None:
                require_between(name, getattr(self, name))
        if self.lowest is not None and self.highest is not None and self.lowest >= self.highest:
            raise ValueError(f"lowest is below highest: got {self.lowest} and {self.highest}")
        require_between("cap", self.cap, 0.0, open_low=True)


def needs(settings: BNPOSettings) -> tuple[str, ...]:
    """Groups, and the parts of the reward where they are taken one by one."""
    return ("groups", "reward_parts") if settings.parts else ("groups",)


class BetaResult(NamedTuple):
    """What Beta normalisation makes of a batch."""

    advantages: Floats
    """[N] on the scale where rewards go from 0 to 1."""
    weights: Floats
    """[Q] of each group, in order of appearance."""
    alpha: float
    beta: float
    """Parameters of the Beta distribution; both 1 where the success rates have no spread."""


def beta_parameters(rates: Sequence[float]) -> tuple[float, float]:
    """alpha and beta, >= 1, of the Beta distribution that normalises best given the groups' success rates in [0, 1].

    Both are 1, which weighs every group 1, with one group or where the sample variance is below 1e-12.
    Source: Xiao et al. 2025 (BNPO), arXiv:2506.02864.
    """
    rate = finite_rewards(rates)
    mean = float(rate.mean()) if rate.size else 0.0
    variance = float(rate.var(ddof=1)) if rate.size > 1 else 0.0
    if variance < NO_SPREAD:
        return 1.0, 1.0
    strength = mean * (1.0 - mean) / variance - 1.0
    return max(1.0, 1.0 + strength * mean / 3.0), max(1.0, 1.0 + strength * (1.0 - mean) / 3.0)


def beta_weight(rate: float, alpha: float, beta: float, cap: float = 1e6) -> float:
    """1 over the Beta density at a success rate in [0, 1], at most `cap`, which it is where the density is 0."""
    log_density = -(math.lgamma(alpha) + math.lgamma(beta) - math.lgamma(alpha + beta))
    for power, base in ((alpha - 1.0, rate), (beta - 1.0, 1.0 - rate)):
        if power > 0.0 and base <= 0.0:
            return cap
        log_density += power * math.log(base) if power > 0.0 else 0.0
    return cap if -log_density >= math.log(cap) else math.exp(-log_density)


def beta_advantages(
    rewards: Sequence[float],
    group: Sequence[Hashable],
    *,
    lowest: float | None = None,
    highest: float | None = None,
    clamp: bool = False,
    cap: float = 1e6,
) -> BetaResult:
    """(R - mean of its group) times the weight of the group's success rate.

    Args:
        rewards: [N] one per trajectory, in task units.
        group: [N] names; equal names compare with each other.
        lowest, highest: Rewards that count as 0 and 1; None for the extremes of `rewards`.
    Raises: ValueError if a reward lies outside [lowest, highest] or is not finite.
    Source: Xiao et al. 2025 (BNPO), arXiv:2506.02864.
    """
    values = _on_unit_scale(finite_rewards(rewards), lowest, highest)
    ids = group_ids(group, len(values))
    sizes = np.bincount(ids)
    difference = centred(values, ids)
    rates = np.clip(np.bincount(ids, values - difference) / np.maximum(sizes, 1), 0.0, 1.0)
    alpha, beta = beta_parameters(rates.tolist())
    edge = 0.5 / sizes if clamp else np.zeros(len(sizes))
    weights = np.array([beta_weight(rate, alpha, beta, cap) for rate in np.clip(rates, edge, 1.0 - edge).tolist()])
    return BetaResult(difference * weights[ids], weights, alpha, beta)


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: BNPOSettings, learner: str = "policy"
) -> CreditResult:
    """The Beta-normalised advantage of each seat on all of its turns. The state is always {}.

    Raises: ValueError if an episode has no group, lacks a part that is asked for, or earned what is out of range.
    """
    rows = seat_rows(episodes, learner)
    columns = [[reward_part(episodes[row.place], part, row.seat) for row in rows] for part in settings.parts] or [
        [episodes[row.place].returns[row.seat] for row in rows]
    ]
    results = [
        beta_advantages(
            column,
            [row.group for row in rows],
            lowest=settings.lowest,
            highest=settings.highest,
            clamp=settings.clamp,
            cap=settings.cap,
        )
        for column in columns
    ]
    values = np.mean([result.advantages for result in results], axis=0)
    metrics = {"beta_alpha": results[0].alpha, "beta_beta": results[0].beta}
    return CreditResult(spread_rows(episodes, rows, values, learner), {}, None, metrics)


def _on_unit_scale(rewards: Floats, lowest: float | None, highest: float | None) -> Floats:
    low = float(rewards.min(initial=math.inf)) if lowest is None else lowest
    high = float(rewards.max(initial=-math.inf)) if highest is None else highest
    outside = rewards[(rewards < low) | (rewards > high)]
    if outside.size:
        raise ValueError(
            f"rewards lie between lowest {low} and highest {high}: got {outside[0]}; set both to the range of the "
            "task's returns, or leave them null"
        )
    width = high - low
    return (rewards - low) / width if rewards.size and width > 0.0 else np.zeros_like(rewards)
