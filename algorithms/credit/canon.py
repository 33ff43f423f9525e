"""CANON: trajectories are compared with the half of their group that did otherwise, by length or by entropy."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.annotations import of_tokens
from turnwise.algorithms.credit.episodes import CreditResult, is_trained
from turnwise.algorithms.credit.groups import (
    SINGLETONS,
    Floats,
    finite_rewards,
    for_groups_of_one,
    group_ids,
    members,
    seat_rows,
    spread_rows,
)
from turnwise.records import Episode, Turn

FORMS = ("entropy", "length")
SCHEDULES = ("fixed", "reward", "cosine", "cosine_mirrored")


@dataclass(frozen=True, slots=True, kw_only=True)
class CANONSettings:
    """Settings of the conditional advantage."""

    metric: str = "length"
    """What a group is halved by: `length` in trained tokens, mean `entropy` of them in nats, number of `turns` or of
    `tool_calls`."""
    mu: float = 0.5
    """Share of the comparison with the other half, in [0, 1]; the rest is with the own half. For schedule fixed."""
    alpha: float = 1.0
    """Weight of one side in the comparison with the other half, >= 0: below 1 long trajectories earn less (length,
    turns, tool_calls), or the confident ones (entropy)."""
    b: float = 0.0
    """Added to the high half and taken off the low half in the same comparison, in task units."""
    schedule: str = "fixed"
    """Where mu comes from: `fixed`, the batch's mean `reward`, a `cosine` with restarts that lets the own half's share
    fall to 0 in each cycle, or `cosine_mirrored`, which lets it rise."""
    period: int = 150
    """Steps of the whole cosine, warm-up included."""
    warmup: int = 30
    """Steps over which the cosine rises from 0 in a straight line."""
    cycles: int = 3
    """Restarts in what the warm-up leaves of the period."""
    own_share: float = 0.6
    """Largest share of the own half in the cosine, in [0, 1]."""
    singleton: str = "zero"
    """What a group of one gets: `zero`, its `raw` return against means of 0, or an `error`."""

    def __post_init__(self) -> None:
        require_choice("metric", self.metric, tuple(METRICS))
        require_between("mu", self.mu, 0.0, 1.0)
        require_between("alpha", self.alpha, 0.0)
        require_between("b", self.b)
        require_choice("schedule", self.schedule, SCHEDULES)
        require_between("warmup", self.warmup, 0)
        require_between("cycles", self.cycles, 1)
        require_between("period", self.period, self.warmup + self.cycles)
        require_between("own_share", self.own_share, 0.0, 1.0)
        require_choice("singleton", self.singleton, SINGLETONS)


def needs(settings: CANONSettings) -> tuple[str, ...]:
    """Groups, and what the metric reads."""
    reads = {"entropy": ("token_entropy",), "tool_calls": ("tool_calls",)}
    return ("groups", *reads.get(settings.metric, ()))


def conditional_advantages(
    rewards: Sequence[float],
    metric: Sequence[float],
    group: Sequence[Hashable],
    *,
    mu: float,
    alpha: float = 1.0,
    b: float = 0.0,
    form: str = "length",
    singleton: str = "zero",
) -> Floats:
    """mu * (R against the other half's mean) + (1 - mu) * (R - the own half's mean), per group.

    A group is sorted by the metric, equal values in their order; the first floor(n / 2) are its low half.

    Args:
        rewards: [N] one per trajectory, in task units.
        metric: [N] what the group is halved by, in any unit.
        group: [N] names; equal names compare with each other.
        form: Which side `alpha` weighs. `length`: high alpha R - M_low + b, low R - alpha M_high - b. `entropy`: high
            R - alpha M_low + b, low alpha R - M_high - b.
    Returns: [N] float64 in task units. Equal rewards give exactly 0 while alpha is 1 and b is 0.
    Raises: ValueError on numbers that are not finite, an unknown form, a group of one with singleton `error`.
    Source: arXiv:2509.23962 (CANON).
    """
    require_choice("form", form, FORMS)
    values, sizes = finite_rewards(rewards), finite_rewards(metric)
    ids = group_ids(group, len(values))
    if len(sizes) != len(values):
        raise ValueError(f"each reward needs its metric: got {len(sizes)} metrics for {len(values)} rewards")
    high, own, other = _halves(values, sizes, ids)
    weigh_reward = high if form == "length" else ~high
    reward_weight, mean_weight = np.where(weigh_reward, alpha, 1.0), np.where(weigh_reward, 1.0, alpha)
    against_other = reward_weight * values - mean_weight * other + np.where(high, b, -b)
    raw = mu * (reward_weight * values + np.where(high, b, -b)) + (1.0 - mu) * values
    return for_groups_of_one(mu * against_other + (1.0 - mu) * (values - own), raw, ids, singleton)


def share_of_others(settings: CANONSettings, step: int, rewards: Sequence[float]) -> float:
    """mu at a training step, counted from 0; `rewards` are the batch's returns, in task units.

    Raises: ValueError with schedule reward where the mean return lies outside [0, 1].
    """
    if settings.schedule == "fixed":
        return settings.mu
    if settings.schedule == "reward":
        mean = float(np.mean(rewards)) if len(rewards) else settings.mu
        if not 0.0 <= mean <= 1.0:
            raise ValueError(f"schedule reward needs a mean return in [0, 1]: got {mean}; choose fixed or cosine")
        return mean
    if settings.schedule == "cosine":
        return 1.0 - _cosine(settings, step, 0.0, settings.own_share)
    return _cosine(settings, step, 1.0 - settings.own_share, 1.0)


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: CANONSettings, learner: str = "policy"
) -> CreditResult:
    """The conditional advantage of each seat's return on all of its turns. The state is {"step": batches seen}.

    Raises: ValueError if an episode has no group, or a trained turn lacks what the metric reads.
    """
    step = int(state.get("step", 0))
    rows = seat_rows(episodes, learner)
    returns = [episodes[row.place].returns[row.seat] for row in rows]
    metric = [_of_seat(episodes[row.place], row.seat, learner, settings.metric) for row in rows]
    mu = share_of_others(settings, step, returns)
    values = conditional_advantages(
        returns,
        metric,
        [row.group for row in rows],
        mu=mu,
        alpha=settings.alpha,
        b=settings.b,
        form="entropy" if settings.metric == "entropy" else "length",
        singleton=settings.singleton,
    )
    return CreditResult(spread_rows(episodes, rows, values, learner), {"step": step + 1}, None, {"mu": mu})


def _halves(values: Floats, metric: Floats, ids: np.ndarray) -> tuple[np.ndarray, Floats, Floats]:
    """[N] whether each is in the high half of its group, mean reward of its own half, and of the other one."""
    high, own, other = np.zeros(len(values), dtype=bool), np.zeros_like(values), np.zeros_like(values)
    for places in members(ids):
        ascending = np.array(places)[np.argsort(metric[places], kind="stable")]
        low_half, high_half = np.split(ascending, [len(places) // 2])
        low_mean, high_mean = _mean(values[low_half]), _mean(values[high_half])
        high[high_half] = True
        own[low_half], other[low_half] = low_mean, high_mean
        own[high_half], other[high_half] = high_mean, low_mean
    return high, own, other


def _mean(values: Floats) -> float:
    """The mean, which is exactly the common value where all are equal; 0 of nothing."""
    return float(values.min() + (values - values.min()).mean()) if values.size else 0.0


def _cosine(settings: CANONSettings, step: int, low: float, high: float) -> float:
    if step < settings.warmup:
        return high * (step + 1) / settings.warmup
    cycle = (settings.period - settings.warmup) // settings.cycles
    angle = math.pi * ((step - settings.warmup) % cycle) / cycle
    return low + 0.5 * (high - low) * (1.0 + math.cos(angle))


def _of_seat(episode: Episode, seat: str, learner: str, metric: str) -> float:
    places = [index for index, turn in enumerate(episode.turns) if turn.seat == seat]
    return METRICS[metric](episode, [index for index in places if is_trained(episode, episode.turns[index], learner)])


def _entropy(episode: Episode, places: Sequence[int]) -> float:
    entropies = [value for index in places for value in of_tokens(episode, index, "token_entropy")]
    return sum(entropies) / len(entropies) if entropies else 0.0


def _total(count: Callable[[Turn], int]) -> Callable[[Episode, Sequence[int]], float]:
    return lambda episode, places: float(sum(count(episode.turns[index]) for index in places))


METRICS: dict[str, Callable[[Episode, Sequence[int]], float]] = {
    "length": _total(lambda turn: len(turn.completion_ids)),
    "entropy": _entropy,
    "turns": _total(lambda turn: 1),
    "tool_calls": _total(lambda turn: len(turn.tool_calls)),
}
"""Name -> (episode, its seat's trained turns) -> number."""
