"""SAPO: a smooth gate instead of a clip, steeper for negative advantages."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.guards.plain import nothing
from turnwise.algorithms.losses import PolicyLoss


@dataclass(frozen=True, slots=True, kw_only=True)
class SAPOSettings:
    """How fast the gate closes."""

    tau_pos: float = 1.0
    """Steepness of the gate at positive advantages, per unit of ratio, > 0."""
    tau_neg: float = 1.05
    """Steepness of the gate at negative advantages, per unit of ratio, > 0."""

    def __post_init__(self) -> None:
        require_between("tau_pos", self.tau_pos, 0.0, open_low=True)
        require_between("tau_neg", self.tau_neg, 0.0, open_low=True)


def gate(ratio: Tensor, tau: Tensor | float) -> Tensor:
    """(4 / tau) sigmoid(tau (r - 1)), any shape: 2 / tau at ratio 1, where its slope is 1; flat far away.

    The gradient has to flow through the gate: detached, and multiplied with log pi, it would weigh 2 / tau at ratio 1.
    """
    return 4.0 / tau * torch.sigmoid(tau * (ratio - 1.0))


def guard(inputs: LossInputs, settings: SAPOSettings) -> PolicyLoss:
    """-A gate(r). Source: Gao et al. 2025, arXiv:2511.20347."""
    tau = torch.full_like(inputs.advantages, settings.tau_neg)
    tau = tau.masked_fill(inputs.advantages > 0, settings.tau_pos)
    untouched = nothing(inputs.mask)
    return PolicyLoss(-inputs.advantages * gate(inputs.ratio, tau), untouched, untouched)
