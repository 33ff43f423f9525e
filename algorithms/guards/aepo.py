"""AEPO's clip: above the upper bound the value stops, the gradient goes on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from turnwise.algorithms.guards.clip import check_bounds
from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.losses import PolicyLoss, bounded_policy_loss


@dataclass(frozen=True, slots=True, kw_only=True)
class AEPOClipSettings:
    """Settings of the clip that keeps its gradient."""

    low: float = 0.2
    """Distance of the lower bound from ratio 1, in [0, 1]."""
    high: float = 0.2
    """Distance of the upper bound from ratio 1, at least 0."""
    dual: float | None = 3.0
    """Ceiling of the loss at negative advantages, in multiples of the advantage, above 1; null for none."""

    def __post_init__(self) -> None:
        check_bounds(self.low, self.high, self.dual)


def keep_gradient(ratio: Tensor, low: float, high: float) -> Tensor:
    """clip(r, 1 - low, 1 + high) that passes (1 + high) grad log pi where r lies above: (1 + high) r / sg(r)."""
    bound = 1.0 + high
    return torch.where(ratio > bound, bound * ratio / ratio.detach(), ratio.clamp(min=1.0 - low))


def guard(inputs: LossInputs, settings: AEPOClipSettings) -> PolicyLoss:
    """PPO's clipped loss in value; with A > 0 above the bound the gradient stays at -(1 + high) A grad log pi.

    Source: Dong et al. 2025 (AEPO), arXiv:2510.14545, and its released code.
    """
    held = keep_gradient(inputs.ratio, settings.low, settings.high)
    return bounded_policy_loss(inputs.ratio, held, inputs.advantages, settings.dual)
