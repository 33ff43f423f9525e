"""Only the outcome pays: everything that a seat got on its way arrives at its last turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.algorithms.credit.episodes import learner_seats
from turnwise.algorithms.rewards.amounts import RewardResult, own_turns, parts_of, with_rewards
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseSettings:
    """The outcome has no settings."""


def reward(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: SparseSettings, learner: str = "policy"
) -> RewardResult:
    """Move all rewards of each seat of the learner to its last turn; returns stay. The state is always {}."""
    return RewardResult([_sparse(episode, learner) for episode in episodes], {})


def _sparse(episode: Episode, learner: str) -> Episode:
    seats = learner_seats(episode, learner)
    if not seats:
        return episode
    rewards = [turn.reward for turn in episode.turns]
    for turns in filter(None, (own_turns(episode, seat) for seat in seats)):
        total = sum(rewards[index] for index in turns)
        for index in turns:
            rewards[index] = 0.0
        rewards[turns[-1]] = total
    return with_rewards(episode, rewards, dict(episode.returns), parts_of(episode))
