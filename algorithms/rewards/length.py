"""A reward that depends on the length: short right answers are worth most, short wrong ones least."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.rewards.amounts import Extras, RewardResult, add_to_learner, at, task_return
from turnwise.algorithms.rewards.lengths import MEASURES, measured_length
from turnwise.records import Episode

CURVES = ("cosine", "linear")


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthSettings:
    """Settings of the length reward; all amounts are added to the task's reward, in its units."""

    curve: str = "cosine"
    """From the short end to the long one: half a `cosine` wave, or `linear`."""
    max_length: int = 4096
    """Tokens of the long end, > 0; beyond it nothing changes."""
    measure: str = "longest"
    """What is measured: the `longest` reply of a seat, or all of its replies in the `episode`."""
    right_short: float = 0.5
    """Added to a right answer of no length."""
    right_long: float = 0.0
    """Added to a right answer at the long end."""
    wrong_short: float = -0.5
    """Added to a wrong answer of no length."""
    wrong_long: float = 0.0
    """Added to a wrong answer at the long end."""
    correct: float = 1.0
    """Lowest return of the task, in task units, that counts as right."""

    def __post_init__(self) -> None:
        require_choice("curve", self.curve, CURVES)
        require_choice("measure", self.measure, MEASURES)
        require_between("max_length", self.max_length, 0, open_low=True)
        for name in ("right_short", "right_long", "wrong_short", "wrong_long", "correct"):
            require_between(name, getattr(self, name))


def length_reward(length: int, max_length: int, short: float, long: float, curve: str = "cosine") -> float:
    """`short` at length 0, `long` from `max_length` on, and between them along the curve.

    Args:
        length, max_length: Tokens; `max_length` > 0.
        short, long: Task units.
        curve: `cosine`: long + (short - long) (1 + cos(pi length / max_length)) / 2; `linear`: a straight line.
    Raises: ValueError on an unknown curve or a length outside its range.
    Source: Yeo et al. 2025, arXiv:2502.03373, section 4 (cosine).
    """
    require_choice("curve", curve, CURVES)
    require_between("max_length", max_length, 0, open_low=True)
    require_between("length", length, 0)
    share = min(length / max_length, 1.0)
    left = 1.0 - share if curve == "linear" else (1.0 + math.cos(math.pi * share)) / 2.0
    return long + (short - long) * left


def reward(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: LengthSettings, learner: str = "policy"
) -> RewardResult:
    """Add the length reward to each seat of the learner, at the turn that was measured. The state is always {}."""

    def extras(episode: Episode, seat: str) -> Extras:
        tokens, place = measured_length(episode, seat, settings.measure)
        right = task_return(episode, seat) >= settings.correct
        ends = (settings.right_short, settings.right_long) if right else (settings.wrong_short, settings.wrong_long)
        return {"length": at(place, length_reward(tokens, settings.max_length, *ends, settings.curve))}

    changed, metrics = add_to_learner(episodes, learner, extras)
    return RewardResult(changed, {}, metrics)
