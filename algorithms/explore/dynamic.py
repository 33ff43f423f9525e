"""Dynamic sampling (DAPO): groups whose returns are all equal are replaced by others, for so many rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.agents.plan import Plan
from turnwise.algorithms.checks import require_between
from turnwise.algorithms.explore.ground import Exploration, Ground
from turnwise.algorithms.explore.refill import refill


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicSettings:
    """Settings of dynamic sampling."""

    rounds: int = 3
    """Most rounds of episodes in one step, the first one counted."""
    keep_last: bool = True
    """Fill what is still missing after the last round with groups of equal returns; False: a smaller batch."""

    def __post_init__(self) -> None:
        require_between("rounds", self.rounds, 1)


def explore(plans: Sequence[Plan], ground: Ground, settings: DynamicSettings, state: Mapping[str, Any]) -> Exploration:
    """Groups with returns that differ, as many as were planned; see `refill`. The state is always {}."""
    episodes, metrics = refill(
        ground.rollout.collect,
        lambda attempt: list(plans) if attempt == 0 else ground.fresh(attempt),
        len({plan.group for plan in plans}),
        settings.rounds,
        ground.learner,
        keep_last=settings.keep_last,
    )
    return Exploration(episodes=episodes, metrics=metrics)
