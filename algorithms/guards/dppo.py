"""DPPO: a token is dropped by how far its probability moved, not by the ratio of the two."""

from __future__ import annotations

import torch
from torch import Tensor

from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.guards.plain import nothing
from turnwise.algorithms.guards.settings import DPPOSettings
from turnwise.algorithms.losses import PolicyLoss

SMALL = 1e-8


def binary_kl(old: Tensor, new: Tensor) -> Tensor:
    """KL of the choice "this token or another" under two policies, in nats; both are probabilities of the token.

    o log(o / n) + (1 - o) log((1 - o + 1e-8) / (1 - n + 1e-8)): in float32 a token that is all but certain has
    probability 1.
    """
    others = torch.log((1.0 - old + SMALL) / (1.0 - new + SMALL))
    return torch.xlogy(old, old) - torch.xlogy(old, new) + (1.0 - old) * others


def kept(old: Tensor, new: Tensor, advantages: Tensor, settings: DPPOSettings) -> Tensor:
    """Which tokens teach anything, bool in the shape of the arguments.

    With A > 0 a token is dropped once its probability rose further than `high`, else once it fell further than `low`.

    Args:
        old, new: Probability of the sampled token before and now.
        advantages: In task units.
    """
    change = new - old
    size = change.abs() if settings.divergence == "tv" else binary_kl(old, new)
    rose_too_far = (change > 0) & (size > settings.high)
    fell_too_far = (change < 0) & (size > settings.low)
    return ~torch.where(advantages > 0, rose_too_far, fell_too_far)


def guard(inputs: LossInputs, settings: DPPOSettings) -> PolicyLoss:
    """-keep sg(min(r, cap)) A log pi. Source: arXiv:2602.04879, the binary forms of its divergence masks."""
    old, new = inputs.old_logprobs.exp(), inputs.logprobs.detach().exp()
    keep = kept(old, new, inputs.advantages, settings)
    weight = inputs.ratio.detach().clamp(max=settings.cap) * keep
    return PolicyLoss(-weight * inputs.advantages * inputs.logprobs, ~keep, nothing(inputs.mask))
