"""CISPO: the importance weight is clipped, not the gradient; no token is dropped."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.guards.plain import nothing
from turnwise.algorithms.losses import PolicyLoss


@dataclass(frozen=True, slots=True, kw_only=True)
class CISPOSettings:
    """Settings of the clipped weight."""

    low: float = 1.0
    """Distance of the lower bound from weight 1, in [0, 1]; 1 is no lower bound."""
    high: float = 0.28
    """Distance of the upper bound from weight 1, at least 0."""

    def __post_init__(self) -> None:
        require_between("low", self.low, 0.0, 1.0)
        require_between("high", self.high, 0.0)


def clipped_weight(ratio: Tensor, settings: CISPOSettings) -> Tensor:
    """sg(clip(r, 1 - low, 1 + high)), any shape."""
    return ratio.detach().clamp(1.0 - settings.low, 1.0 + settings.high)


def guard(inputs: LossInputs, settings: CISPOSettings) -> PolicyLoss:
    """-sg(clip(r, 1 - low, 1 + high)) A log pi. Source: MiniMax 2025, arXiv:2506.13585, eq. 4 and 5."""
    ratio = inputs.ratio.detach()
    weight = clipped_weight(ratio, settings)
    return PolicyLoss(-weight * inputs.advantages * inputs.logprobs, weight != ratio, nothing(inputs.mask))
