"""PPO's clipped loss of tokens from their log-probs, in one pass over them: ratio, clip, dual clip and gradient."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

LOG_RATIO_LIMIT = 20.0
"""Nats, as in `algorithms.ratios`."""


class TokenLoss(NamedTuple):
    """As `algorithms.losses.PolicyLoss`."""

    per_token: Tensor
    """Any shape, in units of the advantage; 0 outside the mask. Carries the log-probs' gradient."""
    clipped: Tensor
    """Same shape, bool."""
    lower_clipped: Tensor
    """Same shape, bool."""


def clipped_token_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip_low: float,
    clip_high: float,
    dual_clip: float | None,
) -> TokenLoss:
    """max(-A r, -A clip(r, 1 - low, 1 + high)) with r = exp(new - old); where A < 0 at most -A c.

    Args:
        logprobs: Any shape, nats, under the weights that are being updated.
        old_logprobs: Same shape, nats; without gradient, as the advantages.
        advantages: Same shape, in task units.
        mask: Same shape, bool. Whatever stands outside, NaN too, reaches neither loss nor gradient.
        clip_low, clip_high, dual_clip: As in `algorithms.losses.clipped_policy_loss`; dual_clip None for no dual clip.
    Returns: What the ratio `token` and the guard `clip` make of the same columns. Float32 on CUDA is one kernel.
    """
    columns = (logprobs, old_logprobs, advantages, mask)
    if any(column.shape != logprobs.shape for column in columns):
        raise ValueError(f"a loss needs columns of one shape: got {[list(column.shape) for column in columns]}")
    bounds = 1.0 - clip_low, 1.0 + clip_high, dual_clip
    if logprobs.is_cuda and all(column.dtype == torch.float32 for column in columns[:3]):
        return TokenLoss(*_Fused.apply(*columns, bounds))  # type: ignore[no-untyped-call]
    return reference(logprobs, old_logprobs, advantages, mask, bounds)


def reference(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, mask: Tensor, bounds: tuple[float, float, float | None]
) -> TokenLoss:
    """The same in torch. `bounds`: the lowest and highest ratio, and c."""
    outside = ~mask
    new, old, advantage = (column.masked_fill(outside, 0.0) for column in (logprobs, old_logprobs, advantages))
    low, high, ceiling = bounds
    ratio = (new - old).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT).exp()
    cost = -advantage
    unclipped, held = cost * ratio, cost * ratio.clamp(low, high)
    loss = torch.maximum(unclipped, held)
    if ceiling is None:
        return TokenLoss(loss, held > unclipped, torch.zeros_like(mask))
    negative, most = advantage < 0, cost * ceiling
    return TokenLoss(torch.where(negative, torch.minimum(loss, most), loss), held > unclipped, negative & (loss > most))


class _Fused(torch.autograd.Function):
    """The gradient is written beside the loss; the backward pass multiplies."""

    @staticmethod
    def forward(
        ctx: Any,
        logprobs: Tensor,
        old_logprobs: Tensor,
        advantages: Tensor,
        mask: Tensor,
        bounds: tuple[float, float, float | None],
    ) -> tuple[Tensor, Tensor, Tensor]:
        from turnwise.kernels.loss_triton import clipped

        loss, slope, *flags = clipped(logprobs, old_logprobs, advantages, mask, bounds)
        ctx.mark_non_differentiable(*flags)
        ctx.save_for_backward(slope)
        return loss, flags[0], flags[1]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:
        (slope,) = ctx.saved_tensors
        return grads[0] * slope, None, None, None, None
