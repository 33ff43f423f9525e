"""How much more likely the new policy makes what was sampled; `RATIOS` finds each notion by name.

All of them take (logprobs, old_logprobs, mask) and return one value per token, [N, T], with gradient. Tokens outside
the mask get 1 and no gradient, whatever stands there.
"""

from __future__ import annotations

from collections.abc import Callable

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
    return _difference(logprobs, reference, mask).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)


def token_ratio(logprobs: Tensor, old_logprobs: Tensor, mask: Tensor | None = None) -> Tensor:
    """exp(new - old) per token, the log-ratio cut off at +-20 nats; 1 without gradient where `mask` is 0.

    Args:
        logprobs: [B, T] nats, under the weights that are being updated.
        old_logprobs: [B, T] nats, under the policy in the denominator (trainer before the update, or the sampler).
        mask: [B, T] bool or 0/1: tokens that are trained; None for all.
    Returns: [B, T], > 0, without unit.
    """
    return torch.exp(log_ratio(logprobs, old_logprobs, mask))


def sequence_ratio(logprobs: Tensor, old_logprobs: Tensor, mask: Tensor | None = None) -> Tensor:
    """s = exp(mean of new - old over the sequence's trained tokens), on each of those tokens.

    The gradient is shared out: token t carries s grad log pi(y_t). Summed with seq-mean-token-mean that is the
    gradient of s itself, and a token that is masked later takes only its own share away.

    Args, Returns: As `token_ratio`. The mean is cut off at +-20 nats; beyond, the gradient is 0.
    Source: Zheng et al. 2025 (GSPO), arXiv:2507.18071, eq. 7 and the token form of section 4.3.
    """
    inside = torch.ones_like(logprobs, dtype=torch.bool) if mask is None else mask.bool()
    total, count = sequence_log_ratio(logprobs.detach(), old_logprobs, inside)
    return _shared(total / count.clamp_min(1), logprobs, inside)


def sequence_product(logprobs: Tensor, old_logprobs: Tensor, mask: Tensor | None = None) -> Tensor:
    """rho = product of the token ratios of the sequence, on each of its trained tokens.

    The gradient is shared out as in `sequence_ratio`: with seq-mean-token-sum it is the gradient of rho itself, with
    seq-mean-token-mean that over the number of tokens.

    Args, Returns: As `token_ratio`. The sum of the log-ratios is cut off at +-20 nats; beyond, the gradient is 0.
    """
    inside = torch.ones_like(logprobs, dtype=torch.bool) if mask is None else mask.bool()
    total, _ = sequence_log_ratio(logprobs.detach(), old_logprobs, inside)
    return _shared(total, logprobs, inside)


RATIOS: dict[str, Callable[[Tensor, Tensor, Tensor | None], Tensor]] = {
    "token": token_ratio,
    "sequence": sequence_ratio,
    "sequence_product": sequence_product,
}


def sequence_log_ratio(logprobs: Tensor, reference: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the differences over each row's masked tokens, [N, 1] nats and not cut off, and their number, [N, 1]."""
    difference = _difference(logprobs, reference, mask)
    return difference.sum(dim=-1, keepdim=True), mask.bool().sum(dim=-1, keepdim=True)


def _shared(log_value: Tensor, logprobs: Tensor, inside: Tensor) -> Tensor:
    """exp(log_value) of [N, 1] on the tokens inside, each with its own log-prob's gradient; 1 elsewhere."""
    own = logprobs.masked_fill(~inside, 0.0)
    log_values = torch.where(inside, log_value, torch.zeros_like(own)) + (own - own.detach())
    return torch.exp(log_values.clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT))


def _difference(logprobs: Tensor, reference: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return logprobs - reference
    # Both operands are masked: a NaN that only passes by would come back in the backward pass as 0 * NaN.
    inside = mask.bool()
    return logprobs.masked_fill(~inside, 0.0) - reference.masked_fill(~inside, 0.0)
