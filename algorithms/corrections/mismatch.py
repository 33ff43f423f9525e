"""How far trainer and sampler are apart. With d = log trainer - log sampler of a token, in nats."""

from __future__ import annotations

import torch
from torch import Tensor

from turnwise.algorithms.corrections.inputs import CorrectionInputs
from turnwise.algorithms.ratios import LOG_RATIO_LIMIT, log_ratio, sequence_log_ratio


def token_rho(inputs: CorrectionInputs) -> Tensor:
    """rho = exp(d) per token, [N, T] > 0, d cut off at +-20 nats; 1 outside the mask."""
    return torch.exp(log_ratio(inputs.trainer, inputs.sampler, inputs.mask))


def sequence_rho(inputs: CorrectionInputs) -> Tensor:
    """exp(sum of d) per sequence, [N, 1] > 0, the sum cut off at +-20 nats."""
    total, _ = sequence_log_ratio(inputs.trainer, inputs.sampler, inputs.mask)
    return torch.exp(total.clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT))


def geometric_rho(inputs: CorrectionInputs) -> Tensor:
    """exp(mean of d) per sequence, [N, 1] > 0: the geometric mean of its tokens' rho; 1 without trained tokens."""
    total, count = sequence_log_ratio(inputs.trainer, inputs.sampler, inputs.mask)
    return torch.exp((total / count.clamp_min(1)).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT))


def k3(inputs: CorrectionInputs) -> Tensor:
    """e^d - d - 1 per token, [N, T] nats, >= 0: an estimate of KL(sampler || trainer); 0 outside the mask."""
    d = log_ratio(inputs.trainer, inputs.sampler, inputs.mask)
    return torch.exp(d) - d - 1.0


def largest_k3(inputs: CorrectionInputs) -> Tensor:
    """Largest k3 of each sequence, [N, 1] nats; 0 without trained tokens."""
    return k3(inputs).amax(dim=-1, keepdim=True)


def average_k3(inputs: CorrectionInputs) -> Tensor:
    """Mean k3 of each sequence's trained tokens, [N, 1] nats; 0 without any."""
    return masked_mean(k3(inputs), inputs.mask)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of each row's masked entries, [N, 1]; 0 in a row without any."""
    return values.masked_fill(~mask, 0.0).sum(dim=-1, keepdim=True) / mask.sum(dim=-1, keepdim=True).clamp_min(1)
