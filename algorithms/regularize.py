"""Terms that hold the policy back: KL to a reference, sampled or exact, and entropy. All in nats."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from turnwise.algorithms.checks import require_choice
from turnwise.algorithms.ratios import log_ratio

ESTIMATORS = ("k1", "k2", "k3")
KL_LIMIT = 10.0
"""Nats. Largest size of one token's k3."""


def sampled_kl(logprobs: Tensor, reference: Tensor, estimator: str = "k3", mask: Tensor | None = None) -> Tensor:
    """KL(policy || reference) per token, estimated from the tokens that the policy sampled.

    With d = clamp(reference - logprobs, +-20): k1 = -d, unbiased, but useless as a loss (its gradient has mean 0);
    k2 = d^2 / 2, biased, but its gradient has the right mean; k3 = e^d - d - 1, cut off at 10, unbiased up to the
    cut-off, >= 0 and of low variance.

    Args:
        logprobs: Any shape, nats, under the policy.
        reference: Same shape, nats, under the reference; without gradient.
        mask: Same shape; where it is 0 the result is 0 without gradient, whatever stands there. None for all.
    Returns: Same shape, nats.
    Raises: ValueError on an unknown estimator.
    Source: Schulman 2020, "Approximating KL divergence", joschu.net/blog/kl-approx.html.
    """
    require_choice("estimator", estimator, ESTIMATORS)
    difference = log_ratio(reference, logprobs, mask)
    if estimator == "k1":
        return -difference
    if estimator == "k2":
        return 0.5 * difference**2
    return (torch.exp(difference) - difference - 1.0).clamp(-KL_LIMIT, KL_LIMIT)


def uniform_kl(entropy: Tensor, choices: int) -> Tensor:
    """KL(p || uniform) = log V - H(p). entropy: any shape, nats; choices: V. Returns: same shape, nats, >= 0."""
    return math.log(choices) - entropy
