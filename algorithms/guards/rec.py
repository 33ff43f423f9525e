"""Group-relative REINFORCE and its off-policy relatives (REC, OPMD, AsymRE, RED): one loss with three switches."""

from __future__ import annotations

import torch
from torch import Tensor

from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.guards.plain import nothing
from turnwise.algorithms.guards.settings import RECSettings
from turnwise.algorithms.losses import PolicyLoss
from turnwise.algorithms.ratios import LOG_RATIO_LIMIT, log_ratio


def kept(ratio: Tensor, advantages: Tensor, settings: RECSettings) -> Tensor:
    """Which tokens teach anything, [N, T] bool.

    `one-side`: A >= 0 and r <= 1 + high, or A <= 0 and r >= 1 - low: what PPO's clip lets through. `two-side`:
    1 - low <= r <= 1 + high. `ring`: that, and also A >= 0 where r <= 1 - ring_low and A <= 0 where
    r >= 1 + ring_high: far off, where the step leads back.

    Args:
        ratio, advantages: [N, T], without gradient.
    """
    if settings.clip == "none":
        return torch.ones_like(ratio, dtype=torch.bool)
    above, below = ratio >= 1.0 - settings.low, ratio <= 1.0 + settings.high
    up, down = advantages >= 0, advantages <= 0
    if settings.clip == "one-side":
        return (up & below) | (down & above)
    near = above & below
    if settings.clip == "two-side":
        return near
    return near | (up & (ratio <= 1.0 - settings.ring_low)) | (down & (ratio >= 1.0 + settings.ring_high))


def token_weight(ratio: Tensor, advantages: Tensor, settings: RECSettings) -> Tensor:
    """What multiplies log pi, in task units, [N, T]; A / temp is cut off at 20 before it is exponentiated."""
    if settings.weight == "is":
        return advantages * ratio
    if settings.weight == "advantage":
        return advantages * torch.exp((advantages / settings.temp).clamp(max=LOG_RATIO_LIMIT))
    return advantages


def guard(inputs: LossInputs, settings: RECSettings) -> PolicyLoss:
    """-keep sg(weight) log pi + regularizer. REC-GSPO takes the ratio `sequence`.

    Source: Yao et al. 2025, arXiv:2509.24203.
    """
    ratio = inputs.ratio.detach()
    keep = kept(ratio, inputs.advantages, settings)
    loss = -(token_weight(ratio, inputs.advantages, settings) * keep) * inputs.logprobs
    if settings.regularizer == "k2":
        loss = loss + settings.tau * log_ratio(inputs.logprobs, inputs.old_logprobs, inputs.mask) ** 2
    elif settings.regularizer == "forward-kl":
        loss = loss - settings.tau * inputs.logprobs
    if settings.divide_by_one_plus_tau:
        loss = loss / (1.0 + settings.tau)
    return PolicyLoss(loss, ~keep, nothing(inputs.mask))
