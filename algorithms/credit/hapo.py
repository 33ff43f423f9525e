"""HAPO's group average: mean and spread of the reward over the tokens of a group, so that long replies weigh more."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.credit.episodes import CreditResult, is_trained
from turnwise.algorithms.credit.groups import Floats, finite_rewards, group_ids, members, seat_rows, spread_rows
from turnwise.algorithms.credit.grpo import group_advantages
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class HAPOSettings:
    """Settings of the token-level group average."""

    eps: float = 1e-6
    """Added to the standard deviation, in task units, > 0."""
    limit: float = 5.0
    """A group in which an advantage reaches this size falls back to ordinary GRPO, > 0."""

    def __post_init__(self) -> None:
        require_between("eps", self.eps, 0.0, open_low=True)
        require_between("limit", self.limit, 0.0, open_low=True)


class GroupAverage(NamedTuple):
    """One group."""

    token_mean: float
    """Mean reward over the group's tokens, in task units."""
    token_std: float
    """Population standard deviation over them, in task units."""
    fell_back: bool
    """Whether the advantages are ordinary GRPO's."""
    advantages: Floats
    """[n] without unit."""


def group_average(
    rewards: Sequence[float], lengths: Sequence[int], *, eps: float = 1e-6, limit: float = 5.0
) -> GroupAverage:
    """(R - mean) / (std + eps) with mean and population std over all tokens of one group.

    Args:
        rewards: [n] one per trajectory, in task units.
        lengths: [n] trained tokens of each.
        limit: If an advantage is this large or larger in absolute value, the whole group gets GRPO's: mean and sample
            std over trajectories, same eps.
    Returns: exactly 0 for equal rewards, and in a group without tokens.
    Raises: ValueError on rewards that are not finite, or unless there is one length >= 0 per reward.
    Source: HAPO (token-heterogeneous policy optimisation), its released recipe.
    """
    values, weight = finite_rewards(rewards), finite_rewards([float(length) for length in lengths])
    if len(weight) != len(values) or (weight < 0.0).any():
        raise ValueError(f"each reward needs a length >= 0: got {list(lengths)} for {len(values)} rewards")
    if not weight.sum():
        return GroupAverage(0.0, 0.0, False, np.zeros_like(values))
    above = values - values.min()
    offset = float(above @ weight / weight.sum())
    std = float(np.sqrt((above - offset) ** 2 @ weight / weight.sum()))
    advantages = (above - offset) / (std + eps)
    fell_back = bool((np.abs(advantages) >= limit).any())
    if fell_back:
        advantages = group_advantages(rewards, ["group"] * len(values), ddof=1, eps=eps, singleton="zero")
    return GroupAverage(float(values.min()) + offset, std, fell_back, advantages)


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: HAPOSettings, learner: str = "policy"
) -> CreditResult:
    """The token-weighted group advantage of each seat on all of its turns. The state is always {}.

    Raises: ValueError if a finished episode of the learning agent has no group.
    """
    rows = seat_rows(episodes, learner)
    lengths = [_tokens(episodes[row.place], row.seat, learner) for row in rows]
    returns = [episodes[row.place].returns[row.seat] for row in rows]
    values, fallbacks = _by_group(returns, lengths, [row.group for row in rows], settings)
    metrics = {"fell_back": fallbacks} if rows else {}
    return CreditResult(spread_rows(episodes, rows, values, learner), {}, None, metrics)


def _by_group(
    rewards: Sequence[float], lengths: Sequence[int], group: Sequence[Hashable], settings: HAPOSettings
) -> tuple[Floats, float]:
    """[N] advantages, and the share of groups that fell back to GRPO."""
    values, fallbacks = np.zeros(len(rewards)), []
    for places in members(group_ids(group, len(rewards))):
        average = group_average(
            [rewards[index] for index in places],
            [lengths[index] for index in places],
            eps=settings.eps,
            limit=settings.limit,
        )
        values[places] = average.advantages
        fallbacks.append(average.fell_back)
    return values, float(np.mean(fallbacks)) if fallbacks else 0.0


def _tokens(episode: Episode, seat: str, learner: str) -> int:
    turns = [turn for turn in episode.turns if turn.seat == seat and is_trained(episode, turn, learner)]
    return sum(len(turn.completion_ids) for turn in turns)
