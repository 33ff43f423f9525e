"""SAPO: a smooth gate instead of a clip, steeper for negative advantages."""

from __future__ import annotations

import torch
from torch import Tensor

from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.guards.plain import nothing
from turnwise.algorithms.guards.settings import SAPOSettings
from turnwise.algorithms.losses import PolicyLoss


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
