"""TOPR: a tapered importance weight for failures, none for successes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.guards.plain import nothing
from turnwise.algorithms.losses import PolicyLoss


@dataclass(frozen=True, slots=True, kw_only=True)
class TOPRSettings:
    """The interval that the weight is cut to, per sign of the return; the canonical form is the default."""

    low_pos: float = 1.0
    """a+: smallest weight where R >= 0, at least 0."""
    high_pos: float = 1.0
    """b+: largest weight where R >= 0, at least a+."""
    low_neg: float = 0.0
    """a-: smallest weight where R < 0, at least 0."""
    high_neg: float = 1.0
    """b-: largest weight where R < 0, at least a-."""

    def __post_init__(self) -> None:
        for low, high in (("low_pos", "high_pos"), ("low_neg", "high_neg")):
            require_between(low, getattr(self, low), 0.0)
            require_between(high, getattr(self, high), getattr(self, low))


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
