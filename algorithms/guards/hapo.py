"""HAPO: clip range, advantage and sampling temperature of each token follow how uncertain the policy was there."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.guards.settings import HAPOSettings
from turnwise.algorithms.losses import PolicyLoss, bounded_policy_loss

SMALL = 1e-8


class EntropyScale(NamedTuple):
    """What makes entropies comparable: statistics of log-entropies, in nats of the logarithm."""

    pivot: Tensor
    """Scalar: their quantile, by nearest rank."""
    spread: Tensor
    """Scalar > 0: root mean square distance from the pivot (not from the mean)."""
    highest: Tensor
    """Scalar > 0: largest distance above the pivot, in spreads."""
    lowest: Tensor
    """Scalar < 0: largest distance below the pivot, in spreads."""


def entropy_scale(entropies: Tensor, pivot: float) -> EntropyScale:
    """Statistics of one row of token entropies.

    Args:
        entropies: [K] nats, K >= 1: tokens that are trained.
        pivot: Quantile in [0, 1].
    Raises: ValueError where there is no token.
    """
    if not entropies.numel():
        raise ValueError("an entropy scale needs at least one token: got none")
    logs = _log_entropy(entropies)
    rank = round(pivot * (logs.numel() - 1)) + 1
    middle = logs.kthvalue(rank).values
    distance = logs - middle
    spread = (distance**2).mean().clamp_min(SMALL).sqrt()
    z = distance / spread
    return EntropyScale(middle, spread, z.max().clamp_min(SMALL), z.min().clamp_max(-SMALL))


def token_entropy_scale(
    entropy: Tensor, mask: Tensor, pivot: float, released: bool = False, pool: Tensor | None = None
) -> Tensor:
    """h of each token: how far its log-entropy lies from the pivot, -1 at the lowest and 1 at the highest.

    Args:
        entropy: Any shape, nats; what stands outside the mask does not matter.
        mask: Same shape, bool or 0/1.
        pivot: Quantile in [0, 1] that gets h = 0.
        released: Divide what lies below the pivot by the (negative) minimum, as the released program does: its h
            is 0 or more everywhere.
        pool: [K] nats: the entropies that make the scale; None for those inside the mask.
    Returns: Same shape, in [-1, 1] (cut off there for a token outside the pool); 0 outside the mask.
    Source: the released program of HAPO (starriver030515/HAPO).
    """
    inside = mask.bool()
    values = entropy[inside] if pool is None else pool
    if not values.numel():
        return torch.zeros_like(entropy)
    scale = entropy_scale(values, pivot)
    z = (_log_entropy(entropy.masked_fill(~inside, 1.0)) - scale.pivot) / scale.spread
    below = z / scale.lowest if released else z / -scale.lowest
    return torch.where(z > 0, z / scale.highest, below).clamp(-1.0, 1.0).masked_fill(~inside, 0.0)


def clip_ranges(h: Tensor, low: float, high: float, alpha: float = 1.0) -> tuple[Tensor, Tensor]:
    """Distances of the two bounds from ratio 1 per token: low (1 - alpha h) where h <= 0, high (1 + alpha h) above."""
    lower = torch.where(h <= 0, low * (1.0 - alpha * h), torch.full_like(h, low))
    upper = torch.where(h > 0, high * (1.0 + alpha * h), torch.full_like(h, high))
    return lower, upper


def redistribute(advantages: Tensor, h: Tensor, ratio: Tensor, low: Tensor, high: Tensor, beta: float = 1.0) -> Tensor:
    """Advantages times 1 + beta h, where that helps.

    An uncertain token (h > 0) that has moved out of the inner band 1 - low / 2 < r < 1 + high / 2 gets more, a certain
    one (h <= 0) that is still inside it gets less; the others keep what they had.

    Args:
        advantages, h, ratio: Same shape; in task units, in [-1, 1], and > 0.
        low, high: Same shape: the clip ranges of `clip_ranges`.
    Returns: Same shape, in task units.
    """
    inside = (ratio > 1.0 - low / 2.0) & (ratio < 1.0 + high / 2.0)
    return torch.where((h > 0) ^ inside, advantages * (1.0 + beta * h), advantages)


def sampling_temperature(h: Tensor, temperature: float, tau: float) -> Tensor:
    """Temperature of each token, T (1 + tau clip(h, -1, 1)); h uses the statistics of the step before."""
    return temperature * (1.0 + tau * h.clamp(-1.0, 1.0))


def guard(inputs: LossInputs, settings: HAPOSettings) -> PolicyLoss:
    """PPO's clip with ranges of each token's own, on advantages that were redistributed within them.

    Raises: ValueError where the entropies are missing.
    Source: the released program of HAPO (starriver030515/HAPO).
    """
    if inputs.entropies is None:
        raise ValueError("guard hapo needs the entropy of every trained token before the update: got None")
    h = token_entropy_scale(inputs.entropies, inputs.mask, settings.pivot, settings.released, inputs.entropy_pool)
    low, high = clip_ranges(h, settings.low, settings.high, settings.clip_alpha)
    advantages = redistribute(inputs.advantages, h, inputs.ratio.detach(), low, high, settings.adv_beta)
    held = torch.clamp(inputs.ratio, 1.0 - low, 1.0 + high)
    return bounded_policy_loss(inputs.ratio, held, advantages, settings.dual)


def _log_entropy(entropy: Tensor) -> Tensor:
    return entropy.clamp_min(SMALL).log()
