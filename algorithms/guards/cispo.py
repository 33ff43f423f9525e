"""CISPO: the importance weight is clipped, not the gradient; no token is dropped."""

from __future__ import annotations

from torch import Tensor

from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.guards.plain import nothing
from turnwise.algorithms.guards.settings import CISPOSettings
from turnwise.algorithms.losses import PolicyLoss


def clipped_weight(ratio: Tensor, settings: CISPOSettings) -> Tensor:
    """sg(clip(r, 1 - low, 1 + high)), any shape."""
    return ratio.detach().clamp(1.0 - settings.low, 1.0 + settings.high)


def guard(inputs: LossInputs, settings: CISPOSettings) -> PolicyLoss:
    """-sg(clip(r, 1 - low, 1 + high)) A log pi. Source: MiniMax 2025, arXiv:2506.13585, eq. 4 and 5."""
    ratio = inputs.ratio.detach()
    weight = clipped_weight(ratio, settings)
    return PolicyLoss(-weight * inputs.advantages * inputs.logprobs, weight != ratio, nothing(inputs.mask))
