"""Group-relative REINFORCE and its off-policy relatives (REC, OPMD, AsymRE, RED): one loss with three switches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.guards.plain import nothing
from turnwise.algorithms.losses import PolicyLoss
from turnwise.algorithms.ratios import LOG_RATIO_LIMIT, log_ratio

WEIGHTS = ("none", "is", "advantage")
CLIPS = ("none", "one-side", "two-side", "ring")
REGULARIZERS = ("none", "k2", "forward-kl")


@dataclass(frozen=True, slots=True, kw_only=True)
class RECSettings:
    """What weighs a token, which tokens are kept, and what is added."""

    weight: str = "none"
    """`none`: A. `is`: A times the ratio. `advantage`: A exp(A / temp) (RED-Weight)."""
    clip: str = "one-side"
    """Tokens that are kept: all (`none`), `one-side`, `two-side` or `ring`, see `kept`."""
    regularizer: str = "none"
    """Added to the loss: nothing, `k2`: tau (log pi - log pi_old)^2 (OPMD), `forward-kl`: -tau log pi (AsymRE)."""
    low: float = 0.2
    """Distance of the lower bound from ratio 1, in [0, 1]."""
    high: float = 0.2
    """Distance of the upper bound from ratio 1, at least 0."""
    ring_low: float = 0.6
    """`ring` only: below 1 minus this, positive advantages are kept again; in [0, 1]."""
    ring_high: float = 2.0
    """`ring` only: above 1 plus this, negative advantages are kept again; at least 0."""
    tau: float = 0.1
    """Weight of the regularizer, in task units per nat (forward-kl) or per squared nat (k2), at least 0."""
    temp: float = 1.0
    """`weight` advantage only: task units by which an advantage grows e-fold in weight, > 0."""
    divide_by_one_plus_tau: bool = False
    """Divide the whole loss by 1 + tau: the form of OPMD whose baseline is a soft maximum."""

    def __post_init__(self) -> None:
        require_choice("weight", self.weight, WEIGHTS)
        require_choice("clip", self.clip, CLIPS)
        require_choice("regularizer", self.regularizer, REGULARIZERS)
        for name in ("low", "ring_low"):
            require_between(name, getattr(self, name), 0.0, 1.0)
        for name in ("high", "ring_high", "tau"):
            require_between(name, getattr(self, name), 0.0)
        require_between("temp", self.temp, 0.0, open_low=True)


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
