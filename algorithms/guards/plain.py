"""No guard at all: every gradient passes, weighed by the ratio or not."""

from __future__ import annotations

import torch
from torch import Tensor

from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.guards.settings import NoneSettings, ReinforceSettings
from turnwise.algorithms.losses import PolicyLoss


def nothing(like: Tensor) -> Tensor:
    """Bool tensor of `like`'s shape, False everywhere: no token was touched."""
    return torch.zeros_like(like, dtype=torch.bool)


def importance_weighted(inputs: LossInputs, settings: NoneSettings) -> PolicyLoss:
    """-A r."""
    untouched = nothing(inputs.mask)
    return PolicyLoss(-inputs.advantages * inputs.ratio, untouched, untouched)


def reinforce(inputs: LossInputs, settings: ReinforceSettings) -> PolicyLoss:
    """-A log pi: the ratio is not used. Source: Williams 1992, "Simple statistical gradient-following algorithms"."""
    untouched = nothing(inputs.mask)
    return PolicyLoss(-inputs.advantages * inputs.logprobs, untouched, untouched)
