"""GiGPO: how an episode fared in its group, and how a step fared among those taken from the same state."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.anchors import clusters
from turnwise.algorithms.credit.chains import untrained
from turnwise.algorithms.credit.episodes import CreditResult, is_trained, rewards_of_seat
from turnwise.algorithms.credit.groups import (
    SINGLETONS,
    Floats,
    Ids,
    SeatRow,
    alone,
    centred,
    for_groups_of_one,
    group_ids,
    ratio_or_zero,
    seat_rows,
    spread,
)
from turnwise.algorithms.credit.returns import rewards_to_go
from turnwise.records import Episode

MODES = ("mean_norm", "mean_std_norm")
STATISTICS = ("per_step_row", "per_trajectory")
SCOPES = ("group", "batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class GiGPOSettings:
    """Settings of group-in-group policy optimisation."""

    gamma: float = 0.95
    """Discount per turn of the same seat inside the step's return, in [0, 1]."""
    mode: str = "mean_norm"
    """`mean_norm` subtracts means only; `mean_std_norm` also divides by the sample standard deviation."""
    step_weight: float = 1.0
    """omega: weight of the step level against the episode level, >= 0."""
    eps: float = 1e-6
    """Added to the standard deviation, in task units, >= 0."""
    plain_eps: bool = False
    """With mean_norm divide by 1 + eps, as one released program does."""
    episode_stats: str = "per_step_row"
    """What the episode level's mean and deviation count: every step (`per_step_row`: long episodes weigh more), or
    every trajectory once (`per_trajectory`: the paper)."""
    anchor_similarity: float | None = None
    """null: states are the same where their anchors are equal; else where they are this similar, in (0, 1]."""
    anchor_scope: str = "group"
    """Whose steps may share an anchor: those of one `group`, or of the whole `batch`, whatever the task."""
    invalid_action_penalty: float = 0.1
    """Taken off both levels of a turn whose reply was no valid action, and off no other turn, in task units, >= 0."""
    singleton: str = "zero"
    """What the episode level of a group of one is: `zero`, its `raw` return, or an `error`."""

    def __post_init__(self) -> None:
        require_between("gamma", self.gamma, 0.0, 1.0)
        require_choice("mode", self.mode, MODES)
        require_between("step_weight", self.step_weight, 0.0)
        require_between("eps", self.eps, 0.0)
        require_choice("episode_stats", self.episode_stats, STATISTICS)
        require_choice("anchor_scope", self.anchor_scope, SCOPES)
        require_between("invalid_action_penalty", self.invalid_action_penalty, 0.0)
        require_choice("singleton", self.singleton, SINGLETONS)
        if self.anchor_similarity is not None:
            require_between("anchor_similarity", self.anchor_similarity, 0.0, 1.0, open_low=True)


class Step(NamedTuple):
    """One turn, as the two levels see it."""

    trajectory: int
    """Index of the trajectory it belongs to."""
    group: Hashable
    anchor: str | None
    """Key of the state before the step, None where it has none."""
    score: float
    """Undiscounted return of the trajectory, less the penalty if this step was invalid; in task units."""
    to_go: float
    """Discounted reward from here on, less the same penalty; in task units."""


class Levels(NamedTuple):
    """[R] float64 each, one per step: in task units with mean_norm, else without unit."""

    episode: Floats
    step: Floats
    total: Floats
    """episode + omega * step"""


def steps_of(
    trajectory: int,
    group: Hashable,
    anchors: Sequence[str | None],
    rewards: Sequence[float],
    invalid: Sequence[bool],
    settings: GiGPOSettings,
) -> list[Step]:
    """The steps of one trajectory. The penalty comes off after discounting: it does not reach earlier steps."""
    whole, to_go = sum(rewards), rewards_to_go(rewards, settings.gamma)
    fines = [settings.invalid_action_penalty * bool(bad) for bad in invalid]
    return [
        Step(trajectory, group, anchor, whole - fine, later - fine)
        for anchor, later, fine in zip(anchors, to_go, fines, strict=True)
    ]


def gigpo(steps: Sequence[Step], settings: GiGPOSettings) -> Levels:
    """Advantage of every step: its trajectory within the group, plus its return among steps from the same state.

    Args:
        steps: [R] in trajectory then step order; a trajectory's steps have one group.
    Raises: ValueError on a group of one with singleton `error`, or on numbers that are not finite.
    Source: Feng et al. 2025 (GiGPO), arXiv:2505.10978.
    """
    episode, step = _episode_level(steps, settings), _step_level(steps, settings)
    return Levels(episode, step, episode + settings.step_weight * step)


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: GiGPOSettings, learner: str = "policy"
) -> CreditResult:
    """The sum of both levels on every trained turn; turns without tokens enter no statistic. The state is always {}.

    Raises: ValueError if a finished episode of the learning agent has no group.
    """
    spots: list[tuple[int, int]] = []
    steps: list[Step] = []
    for trajectory, row in enumerate(seat_rows(episodes, learner)):
        for index, step in _steps_of_seat(trajectory, row, episodes[row.place], settings):
            if is_trained(episodes[row.place], episodes[row.place].turns[index], learner):
                spots.append((row.place, index))
                steps.append(step)
    levels = gigpo(steps, settings)
    table = untrained(episodes)
    for (place, index), value in zip(spots, levels.total.tolist(), strict=True):
        table[place][index] = value
    return CreditResult(table, {}, None, _metrics(steps, levels, settings))


def _steps_of_seat(trajectory: int, row: SeatRow, episode: Episode, settings: GiGPOSettings) -> list[tuple[int, Step]]:
    places, rewards = rewards_of_seat(episode, row.seat)
    turns = [episode.turns[index] for index in places]
    anchors, invalid = [turn.anchor for turn in turns], [turn.status != "ok" for turn in turns]
    return list(zip(places, steps_of(trajectory, row.group, anchors, rewards, invalid, settings), strict=True))


def _episode_level(steps: Sequence[Step], settings: GiGPOSettings) -> Floats:
    """Each step's score less its group's mean, where the mean is over the counted steps: all, or one a trajectory."""
    counted, counts_for = _counted(steps, settings)
    scores = _finite([step.score for step in steps])
    ids = group_ids([steps[index].group for index in counted], len(counted))
    divisor = _divisor(scores[counted], ids, settings)
    level = ratio_or_zero(centred(scores[counted], ids), divisor)
    level = for_groups_of_one(level, ratio_or_zero(scores[counted], divisor), ids, settings.singleton)
    own = scores - scores[counted][counts_for]  # not 0 where steps of one trajectory are fined differently
    return level[counts_for] + ratio_or_zero(own, divisor[counts_for])


def _step_level(steps: Sequence[Step], settings: GiGPOSettings) -> Floats:
    ids = _clusters(steps, settings)
    to_go = _finite([step.to_go for step in steps])
    return ratio_or_zero(centred(to_go, ids), _divisor(to_go, ids, settings))


def _clusters(steps: Sequence[Step], settings: GiGPOSettings) -> Ids:
    scopes = [step.group if settings.anchor_scope == "group" else "batch" for step in steps]
    return clusters(scopes, [step.anchor for step in steps], settings.anchor_similarity)


def _counted(steps: Sequence[Step], settings: GiGPOSettings) -> tuple[list[int], Ids]:
    """Indices of the steps whose scores enter the statistics, and for every step which of them stands for it."""
    if settings.episode_stats == "per_step_row":
        return list(range(len(steps))), np.arange(len(steps))
    first: dict[int, int] = {}
    for index, step in enumerate(steps):
        first.setdefault(step.trajectory, index)
    order = {trajectory: place for place, trajectory in enumerate(first)}
    return list(first.values()), np.array([order[step.trajectory] for step in steps], dtype=np.intp)


def _divisor(values: Floats, ids: Ids, settings: GiGPOSettings) -> Floats:
    """[N] deviation of each value's group plus eps, or 1; a group of one has deviation 1."""
    if settings.mode == "mean_norm":
        return np.full_like(values, 1.0 + settings.eps if settings.plain_eps else 1.0)
    return np.where(alone(ids), 1.0, spread(values, ids, ddof=1)) + settings.eps


def _finite(values: Sequence[float]) -> Floats:
    row = np.array(values, dtype=np.float64)
    if not np.isfinite(row).all():
        raise ValueError(f"rewards are finite numbers: got steps worth {row.tolist()}")
    return row


def _metrics(steps: Sequence[Step], levels: Levels, settings: GiGPOSettings) -> dict[str, float]:
    if not steps:
        return {}
    return {
        "anchors_alone": float(alone(_clusters(steps, settings)).mean()),
        "episode_level": float(np.abs(levels.episode).mean()),
        "step_level": float(np.abs(levels.step).mean()),
    }
