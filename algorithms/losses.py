"""Per-token losses. `aggregate` says how they add up."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from turnwise.algorithms.checks import require_between


class PolicyLoss(NamedTuple):
    """A policy loss per token and which tokens its guards touched."""

    per_token: Tensor
    """[B, T] to be minimised, in units of the advantage."""
    clipped: Tensor
    """[B, T] bool. The clipped term is strictly larger than the unclipped one (before the dual clip)."""
    lower_clipped: Tensor
    """[B, T] bool. The advantage is negative and the dual clip cut the loss off."""


class ValueLoss(NamedTuple):
    """A value loss per token (or turn) and where its guard bit."""

    per_token: Tensor
    """Any shape, to be minimised, in squared task units."""
    clipped: Tensor
    """Same shape, bool. The clipped squared error is strictly larger than the unclipped one."""


def clipped_policy_loss(
    ratio: Tensor, advantage: Tensor, *, clip_low: float, clip_high: float, dual_clip: float | None = 3.0
) -> PolicyLoss:
    """max(-A r, -A clip(r, 1 - low, 1 + high)); where A < 0 at most -A c.

    Args:
        ratio: [B, T], from `ratios`.
        advantage: [B, T] in task units, without gradient.
        clip_low: Distance of the lower bound from ratio 1, in [0, 1].
        clip_high: Distance of the upper bound from ratio 1, >= 0; larger than `clip_low` in clip-higher.
        dual_clip: c > 1, or None for no dual clip.
    Raises: ValueError if a bound lies outside its range.
    Source: Schulman et al. 2017 (PPO), arXiv:1707.06347, eq. 7; dual clip: Ye et al. 2020, arXiv:1912.09729, eq. 5.
    """
    require_between("clip_low", clip_low, 0.0, 1.0)
    require_between("clip_high", clip_high, 0.0)
    return bounded_policy_loss(ratio, ratio.clamp(1.0 - clip_low, 1.0 + clip_high), advantage, dual_clip)


def bounded_policy_loss(ratio: Tensor, bounded: Tensor, advantage: Tensor, dual_clip: float | None) -> PolicyLoss:
    """max(-A r, -A b); where A < 0 at most -A c.

    Args:
        ratio, bounded: [B, T]: r, and what stands for it where a bound holds it back, b.
        advantage: [B, T] in task units, without gradient.
        dual_clip: c > 1, or None for no dual clip.
    Raises: ValueError if `dual_clip` is 1 or less.
    """
    unclipped, held = -advantage * ratio, -advantage * bounded
    loss = torch.maximum(unclipped, held)
    clipped = held > unclipped
    if dual_clip is None:
        return PolicyLoss(loss, clipped, torch.zeros_like(clipped))
    require_between("dual_clip", dual_clip, 1.0, open_low=True)
    ceiling = -advantage * dual_clip
    negative = advantage < 0
    lower_clipped = negative & (loss > ceiling)
    return PolicyLoss(torch.where(negative, torch.minimum(loss, ceiling), loss), clipped, lower_clipped)


def clipped_value_loss(
    predictions: Tensor, old_values: Tensor, returns: Tensor, *, clip: float | None = 0.5
) -> ValueLoss:
    """0.5 max((v - G)^2, (clip(v, v_old - clip, v_old + clip) - G)^2).

    Args:
        predictions: Any shape, in task units: the critic that is being updated.
        old_values: Same shape: the critic when the batch was collected.
        returns: Same shape: targets G.
        clip: Largest step from `old_values` that lowers the loss, in task units, >= 0; None for no clip.
    Raises: ValueError if `clip` is negative.
    Source: the PPO reference implementation of Dhariwal et al. 2017 (OpenAI baselines).
    """
    error = (predictions - returns) ** 2
    if clip is None:
        return ValueLoss(0.5 * error, torch.zeros_like(error, dtype=torch.bool))
    require_between("clip", clip, 0.0)
    near = torch.clamp(predictions, old_values - clip, old_values + clip)
    bounded = (near - returns) ** 2
    return ValueLoss(0.5 * torch.maximum(error, bounded), bounded > error)
