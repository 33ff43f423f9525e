"""The optimiser of a learner: AdamW, or the same with moments of eight bits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from turnwise.algorithms.recipes import Optimisation


def make_optimiser(groups: list[dict[str, Any]], settings: Optimisation) -> torch.optim.Optimizer:
    """Over groups of parameters, the policy's first. Raises ValueError where its package is missing."""
    rates: dict[str, Any] = {
        "lr": settings.learning_rate,
        "betas": (settings.beta1, settings.beta2),
        "weight_decay": settings.weight_decay,
    }
    if settings.optimiser == "adamw":
        return torch.optim.AdamW(groups, **rates, fused=True)
    try:
        from torchao.optim import AdamW8bit
    except ImportError:
        raise ValueError("optimisation.optimiser=adamw8bit needs torchao: pip install 'turnwise[adam8bit]'") from None
    eight_bits: torch.optim.Optimizer = AdamW8bit(groups, **rates)
    return eight_bits


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """The step of the policy's weights from now on."""
    group = optimiser.param_groups[0]
    if isinstance(group["lr"], Tensor):  # torchao compiles its step, and a number would be compiled into it
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def allocate(optimiser: torch.optim.Optimizer) -> None:
    """One step on nothing, so that every tensor of the optimiser's state is there to be filled.

    It moves the weights (weight decay): load them after this.
    """
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
