"""AEPO's clip: above the upper bound the value stops, the gradient goes on."""

from __future__ import annotations

import torch
from torch import Tensor

from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.guards.settings import AEPOClipSettings
from turnwise.algorithms.losses import PolicyLoss, bounded_policy_loss


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
