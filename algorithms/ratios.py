"""How much more likely the new policy makes what was sampled."""

from __future__ import annotations

import torch
from torch import Tensor

LOG_RATIO_LIMIT = 20.0
"""Nats. exp(20) is about 5e8: beyond that only overflow is left."""


def log_ratio(logprobs: Tensor, reference: Tensor, mask: Tensor | None = None) -> Tensor:
    """Difference of two log-probabilities per token, cut off at +-20.

    Args:
        logprobs, reference: Same shape, nats.
        mask: Same shape, bool or 0/1, or None. Where it is 0 the difference is 0 and carries no gradient,
            whatever stands there (NaN and -inf included).
    Returns: Same shape, nats. The gradient is 0 beyond the cut-off.
    """
    difference = logprobs - reference
    if mask is not None:
        inside = mask.bool()
        # Both operands are masked: a NaN that only passes by would come back in the backward pass as 0 * NaN.
        difference = logprobs.masked_fill(~inside, 0.0) - reference.masked_fill(~inside, 0.0)
    return difference.clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)


def token_ratio(logprobs: Tensor, old_logprobs: Tensor, mask: Tensor | None = None) -> Tensor:
    """exp(new - old) per token, the log-ratio cut off at +-20 nats; 1 without gradient where `mask` is 0.

    Args:
        logprobs: [B, T] nats, under the weights that are being updated.
        old_logprobs: [B, T] nats, under the policy in the denominator (trainer before the update, or the sampler).
        mask: [B, T] bool or 0/1: tokens that are trained; None for all.
    Returns: [B, T], > 0, without unit.
    """
    return torch.exp(log_ratio(logprobs, old_logprobs, mask))
