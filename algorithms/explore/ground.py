"""What every way of sampling stands on, and what it comes back with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from turnwise.agents.plan import Plan
from turnwise.agents.rollout import Rollout
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a way of sampling may use in one step."""

    rollout: Rollout
    learner: str
    """Name of the agent that is trained."""
    seed: int
    """Of this step: all chance of the way of sampling comes from it."""
    group_size: int
    fresh: Callable[[int], list[Plan]]
    """More plans, in whole groups: those of attempt 1, 2, ... of this step."""
    annotate: Callable[[Sequence[Episode]], list[Episode]]
    """Fills train_logprobs and token_entropy."""
    demonstrate: Callable[[Sequence[Plan], str], list[Episode]]
    """A scripted agent's play of these plans in the learner's seats, in the learner's tokens, marked as such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """What was sampled in one step."""

    episodes: Sequence[Episode]
    state: dict[str, Any] = field(default_factory=dict)
    """Fit for JSON: to hand to the next step."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Figures for the log; `extra_tokens`: sampled by the learner and not trained on."""
