"""PPO's clip, with a higher upper bound (clip-higher) and the dual clip as options; GSPO with the sequence ratio."""

from __future__ import annotations

from dataclasses import dataclass

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.losses import PolicyLoss, clipped_policy_loss


def check_bounds(low: float, high: float, dual: float | None) -> None:
    """Raises ValueError unless `low` lies in [0, 1], `high` is at least 0 and `dual` is None or above 1."""
    require_between("low", low, 0.0, 1.0)
    require_between("high", high, 0.0)
    if dual is not None:
        require_between("dual", dual, 1.0, open_low=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSettings:
    """Settings of the clip."""

    low: float = 0.2
    """Distance of the lower bound from ratio 1, in [0, 1]."""
    high: float = 0.2
    """Distance of the upper bound from ratio 1, at least 0; DAPO: 0.28."""
    dual: float | None = None
    """Ceiling of the loss at negative advantages, in multiples of the advantage, above 1; null for none."""

    def __post_init__(self) -> None:
        check_bounds(self.low, self.high, self.dual)


def guard(inputs: LossInputs, settings: ClipSettings) -> PolicyLoss:
    """max(-A r, -A clip(r, 1 - low, 1 + high)), see `losses.clipped_policy_loss`."""
    return clipped_policy_loss(
        inputs.ratio, inputs.advantages, clip_low=settings.low, clip_high=settings.high, dual_clip=settings.dual
    )
