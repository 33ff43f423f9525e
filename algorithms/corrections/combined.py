"""The product of several corrections, and what it does to a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from turnwise.algorithms.checks import require_choice
from turnwise.algorithms.corrections import CORRECTIONS
from turnwise.algorithms.corrections.inputs import CorrectionInputs
from turnwise.algorithms.corrections.mismatch import k3


def combined(corrections: Mapping[str, Any], inputs: CorrectionInputs) -> tuple[Tensor, dict[str, Tensor]]:
    """Product of the named corrections, [N, T] without gradient (1 outside the mask), and its figures.

    Args:
        corrections: Name -> its settings record; {} gives ones.
    Returns: The weights, and scalars: `correction_weight`, their mean over the trained tokens; `correction_masked`, the
        share of trained tokens with weight 0; `mismatch_k3`, mean of k3 between sampler and trainer in nats;
        `mismatch_k3_p999`, its 99.9th percentile. Parts of a batch: average the first three by their numbers of trained
        tokens; the percentile does not add up (its maximum bounds it).
    Raises: ValueError on an unknown name.
    """
    product = torch.ones_like(inputs.trainer)
    for name, settings in corrections.items():
        require_choice("correction", name, CORRECTIONS.known(name))
        product = product * CORRECTIONS[name].function(inputs, settings)
    product = product.masked_fill(~inputs.mask, 1.0)
    return product, _figures(product, inputs)


def _figures(product: Tensor, inputs: CorrectionInputs) -> dict[str, Tensor]:
    inside = inputs.mask
    if not inside.any():
        return dict.fromkeys(
            ("correction_weight", "correction_masked", "mismatch_k3", "mismatch_k3_p999"), torch.zeros(())
        )
    kept, gaps = product[inside].double(), k3(inputs)[inside].double()
    return {
        "correction_weight": kept.mean(),
        "correction_masked": (kept == 0).double().mean(),
        "mismatch_k3": gaps.mean(),
        "mismatch_k3_p999": tail(inputs),
    }


def tail(inputs: CorrectionInputs) -> Tensor:
    """99.9th percentile of k3 between sampler and trainer, in nats; 0 where nothing is trained."""
    gaps = k3(inputs)[inputs.mask].double()
    return gaps.kthvalue(math.ceil(0.999 * gaps.numel())).values if gaps.numel() else torch.zeros(())
