"""What to do about the gap between the program that sampled and the one that trains: `CORRECTIONS` by name.

Every correction is a frozen settings record and a pure function `correct(inputs, settings) -> weights`, [N, T] without
gradient, 1 where nothing is to correct. `combined` multiplies them. A *weight* replaces the sampler by the trainer in
the denominator of an expectation; a *mask* only drops tokens or sequences that are too far off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from turnwise.algorithms.checks import require_choice
from turnwise.algorithms.corrections import masks, weights
from turnwise.algorithms.corrections.inputs import CorrectionInputs
from turnwise.algorithms.corrections.mismatch import k3

__all__ = ["CORRECTIONS", "Correction", "CorrectionInputs", "combined", "refuse_double_correction"]

NEEDS = ("train_logprobs",)


class Correction(NamedTuple):
    """A correction: its settings record, its function, and whether it is an importance weight."""

    settings: type[Any]
    function: Callable[..., Tensor]
    needs: tuple[str, ...] = NEEDS
    """Names out of `turnwise.algorithms.needs.NEEDS`."""
    is_weight: bool = False
    """Whether it multiplies by trainer / sampler, so that the ratio's denominator must be the trainer's."""


CORRECTIONS: dict[str, Correction] = {
    "tis": Correction(weights.CapSettings, weights.truncated, is_weight=True),
    "mis": Correction(weights.CapSettings, weights.masked, is_weight=True),
    "icepop": Correction(weights.BandSettings, weights.icepop, is_weight=True),
    "sequence_tis": Correction(weights.CapSettings, weights.sequence_truncated, is_weight=True),
    "sequence_mis": Correction(weights.CapSettings, weights.sequence_masked, is_weight=True),
    "geometric": Correction(masks.GeometricSettings, masks.geometric),
    "trm": Correction(masks.TRMSettings, masks.trust_region),
    "seq_mean_k3": Correction(masks.MeanK3Settings, masks.mean_k3),
    "opsm": Correction(masks.OPSMSettings, masks.off_policy_sequences),
    "veto": Correction(masks.VetoSettings, masks.veto),
}


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
        require_choice("correction", name, sorted(CORRECTIONS))
        product = product * CORRECTIONS[name].function(inputs, settings)
    product = product.masked_fill(~inputs.mask, 1.0)
    return product, _figures(product, inputs)


def refuse_double_correction(old_logprobs: str, corrections: Iterable[str]) -> None:
    """Raises ValueError where the gap between sampler and trainer would be corrected twice.

    Args:
        old_logprobs: Whose log-probs stand in the ratio's denominator, `sampler` or `trainer`.
        corrections: Names out of `CORRECTIONS`. Masks are always allowed.
    """
    require_choice("old_logprobs", old_logprobs, ("sampler", "trainer"))
    twice = [name for name in corrections if CORRECTIONS[name].is_weight]
    if old_logprobs == "sampler" and twice:
        raise ValueError(
            f"corrections {', '.join(twice)} weigh by trainer / sampler, but with old_logprobs=sampler the ratio is "
            "new / sampler = (new / trainer) (trainer / sampler): it holds that weight already, and the gap would be "
            "corrected twice. Choose old_logprobs=trainer and keep the correction, or drop the correction; masks "
            f"({', '.join(name for name, entry in CORRECTIONS.items() if not entry.is_weight)}) go with both"
        )


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
        "mismatch_k3_p999": gaps.kthvalue(math.ceil(0.999 * gaps.numel())).values,
    }
