"""Independent episodes: what was planned is played, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.agents.plan import Plan
from turnwise.algorithms.explore.ground import Exploration, Ground


@dataclass(frozen=True, slots=True, kw_only=True)
class IndependentSettings:
    """There is nothing to set."""


def explore(
    plans: Sequence[Plan], ground: Ground, settings: IndependentSettings, state: Mapping[str, Any]
) -> Exploration:
    """The episodes of the plans, in their order. The state is always {}."""
    return Exploration(episodes=ground.rollout.collect(plans))
