"""All that came before counts by a factor: 0 leaves only what later terms add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.credit.episodes import learner_seats
from turnwise.algorithms.rewards.amounts import RewardResult, parts_of, with_rewards
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSettings:
    """Settings of the factor."""

    factor: float = 1.0
    """What rewards, returns and their parts are multiplied by."""

    def __post_init__(self) -> None:
        require_between("factor", self.factor)


def reward(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: ScaleSettings, learner: str = "policy"
) -> RewardResult:
    """Multiply what each seat of the learner got so far. The state is always {}."""
    return RewardResult([_scaled(episode, settings.factor, learner) for episode in episodes], {})


def _scaled(episode: Episode, factor: float, learner: str) -> Episode:
    seats = learner_seats(episode, learner)
    if not seats:
        return episode
    by = {seat: factor if seat in seats else 1.0 for seat in episode.seats}
    rewards = [turn.reward * by[turn.seat] for turn in episode.turns]
    returns = {seat: value * by[seat] for seat, value in episode.returns.items()}
    parts = {
        part: {seat: value * by[seat] for seat, value in amounts.items()} for part, amounts in parts_of(episode).items()
    }
    return with_rewards(episode, rewards, returns, parts)
