"""Baselines of group-relative REINFORCE on any data (REC): mean, soft maximum (OPMD), shifted (AsymRE); RED-Drop."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.episodes import CreditResult
from turnwise.algorithms.credit.groups import (
    SINGLETONS,
    Floats,
    Ids,
    centred,
    finite_rewards,
    for_groups_of_one,
    group_ids,
    seat_rows,
    spread_rows,
)
from turnwise.records import Episode

BASELINES = ("mean", "logavgexp")


@dataclass(frozen=True, slots=True, kw_only=True)
class OPMDSettings:
    """Settings of the group baseline."""

    baseline: str = "mean"
    """`mean` of the group, or `logavgexp`: tau log mean exp(R / tau), between the mean and the maximum."""
    tau: float = 1.0
    """logavgexp only: task units; towards 0 the baseline is the maximum, towards infinity the mean; > 0."""
    shift: float = 0.0
    """Added to the baseline, in task units; below 0 (AsymRE) successes push harder than failures."""
    drop_surplus: bool = False
    """RED-Drop: leave random failures out of training where a group has more failures than successes."""
    seed: int = 0
    """drop_surplus only: seed of the choice, at least 0."""
    singleton: str = "raw"
    """What a group of one gets: its `raw` return (less the shift), `zero`, or an `error`."""

    def __post_init__(self) -> None:
        require_choice("baseline", self.baseline, BASELINES)
        require_choice("singleton", self.singleton, SINGLETONS)
        require_between("tau", self.tau, 0.0, open_low=True)
        require_between("shift", self.shift)
        require_between("seed", self.seed, 0)


def less_baseline(rewards: Sequence[float], group: Sequence[Hashable], settings: OPMDSettings) -> Floats:
    """R - (baseline of its group + shift), [N] float64 in task units; never divided by a standard deviation.

    Args:
        rewards: [N] one per trajectory, in task units.
        group: [N] names; equal names compare with each other.
    Raises: ValueError on rewards that are not finite, and on a group of one with singleton `error`.
    Source: Yao et al. 2025, arXiv:2509.24203; logavgexp: Kimi team 2025, arXiv:2501.12599, section 2.3; shift: Arnal
        et al. 2025 (AsymRE), arXiv:2506.20520.
    """
    values = finite_rewards(rewards)
    ids = group_ids(group, len(values))
    advantages = centred(values, ids) if settings.baseline == "mean" else _below_soft_maximum(values, ids, settings.tau)
    return for_groups_of_one(advantages - settings.shift, values - settings.shift, ids, settings.singleton)


def without_surplus(
    rewards: Sequence[float], group: Sequence[Hashable], rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Which trajectories stay, [N] bool: failures are drawn out of a group until they do not outnumber successes.

    A success is a reward of at least its group's mean.
    """
    values = finite_rewards(rewards)
    ids = group_ids(group, len(values))
    failed = centred(values, ids) < 0.0
    keep = np.ones(len(values), dtype=np.bool_)
    for number in range(ids.max(initial=-1) + 1):
        failures = np.flatnonzero(failed & (ids == number))
        surplus = 2 * len(failures) - int((ids == number).sum())
        if surplus > 0:
            keep[rng.choice(failures, surplus, replace=False)] = False
    return keep


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: OPMDSettings, learner: str = "policy"
) -> CreditResult:
    """Each seat's return less the baseline of its group, on all of its turns; the baseline is that of what stays.

    State: {} at the start, else {"draws": batches so far}, so that a resumed run draws what it would have drawn.
    Raises: ValueError if a finished episode of the learning agent has no group.
    """
    rows = seat_rows(episodes, learner)
    groups = [row.group for row in rows]
    returns = [episodes[row.place].returns[row.seat] for row in rows]
    draws = int(state.get("draws", 0))
    keep = np.ones(len(rows), dtype=np.bool_)
    if settings.drop_surplus:
        keep = without_surplus(returns, groups, np.random.default_rng((settings.seed, draws)))
    stays = np.flatnonzero(keep)
    found = less_baseline([returns[place] for place in stays], [groups[place] for place in stays], settings)
    values: list[float | None] = [None] * len(rows)
    for place, value in zip(stays, found, strict=True):
        values[place] = float(value)
    metrics = {"dropped_share": 1.0 - float(keep.mean()) if len(rows) else 0.0}
    return CreditResult(spread_rows(episodes, rows, values, learner), {"draws": draws + 1}, metrics=metrics)


def _below_soft_maximum(values: Floats, ids: Ids, tau: float) -> Floats:
    """R - tau log mean exp(R / tau) of each value's group; exactly 0 where the group's values are all equal."""
    highest = np.full(ids.max(initial=-1) + 1, -np.inf)
    np.maximum.at(highest, ids, values)
    below = values - highest[ids]
    mean = np.bincount(ids, np.exp(below / tau)) / np.bincount(ids)
    return below - (tau * np.log(mean))[ids]
