"""TOPR: a tapered importance weight for failures, none for successes."""

from __future__ import annotations

import torch
from torch import Tensor

from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.guards.plain import nothing
from turnwise.algorithms.guards.settings import TOPRSettings
from turnwise.algorithms.losses import PolicyLoss


def taper(ratio: Tensor, returns: Tensor, settings: TOPRSettings) -> Tensor:
    """alpha: the ratio cut to [a+, b+] where R >= 0 and to [a-, b-] where R < 0, without gradient.

    Args:
        ratio: [N, T], > 0.
        returns: [N] in task units. The branch follows R, not the advantage R - c.
    """
    above = ratio.detach().clamp(settings.low_pos, settings.high_pos)
    below = ratio.detach().clamp(settings.low_neg, settings.high_neg)
    return torch.where(returns[:, None] >= 0, above, below)


def guard(inputs: LossInputs, settings: TOPRSettings) -> PolicyLoss:
    """-sg(alpha) A log pi with alpha from `taper`.

    With ratio `sequence_product` and seq-mean-token-sum it is the paper's estimator over whole responses; with ratio
    `token` the weight is each token's own.

    Source: Le Roux et al. 2025, arXiv:2503.14286.
    """
    alpha = taper(inputs.ratio, inputs.returns, settings)
    loss = -alpha * inputs.advantages * inputs.logprobs
    return PolicyLoss(loss, alpha != inputs.ratio.detach(), nothing(inputs.mask))
