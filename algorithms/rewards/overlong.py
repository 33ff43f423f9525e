"""A soft punishment of replies that come near the token limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.overlong import overlong_penalty
from turnwise.algorithms.rewards.amounts import Extras, RewardResult, add_to_learner, at
from turnwise.algorithms.rewards.lengths import MEASURES, measured_length
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlongSettings:
    """Settings of the soft punishment of overlong replies."""

    max_length: int = 20480
    """Tokens from which on the punishment is full, > 0."""
    cache: int = 4096
    """Width of the slope before that, in tokens, in [0, max_length]."""
    measure: str = "longest"
    """What is measured: the `longest` reply of a seat (punished at that turn), or all of its replies in the `episode`
    (punished at its last turn)."""
    weight: float = 1.0
    """Full punishment in task units, >= 0."""

    def __post_init__(self) -> None:
        require_between("max_length", self.max_length, 0, open_low=True)
        require_between("cache", self.cache, 0, self.max_length)
        require_choice("measure", self.measure, MEASURES)
        require_between("weight", self.weight, 0.0)


def reward(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: OverlongSettings, learner: str = "policy"
) -> RewardResult:
    """Add `weight` times the punishment, which is in [-1, 0], to each seat of the learner. The state is always {}.

    Source: Yu et al. 2025 (DAPO), arXiv:2503.14476, eq. 13.
    """

    def extras(episode: Episode, seat: str) -> Extras:
        tokens, place = measured_length(episode, seat, settings.measure)
        (penalty,) = overlong_penalty([tokens], settings.max_length, settings.cache)
        return {"overlong": at(place, settings.weight * float(penalty))}

    changed, metrics = add_to_learner(episodes, learner, extras)
    return RewardResult(changed, {}, metrics)
