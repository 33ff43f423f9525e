"""How per-token losses add up to one number: weights that are fixed for the whole batch before it is cut up."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from turnwise.algorithms.checks import require_between, require_choice

AGGREGATIONS = ("token-mean", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm")
SMALL = 1e-8


class Totals(NamedTuple):
    """Counts over the whole batch: add those of its parts (micro-batches, ranks) up before any weight is made."""

    tokens: int
    """Tokens that are trained."""
    sequences: int
    """Rows with at least one such token."""


def totals(mask: Tensor) -> Totals:
    """Counts of one [B, T] mask (bool or 0/1)."""
    inside = mask.bool()
    return Totals(int(inside.sum()), int(inside.any(dim=-1).sum()))


def token_weights(
    mask: Tensor,
    mode: str,
    *,
    constant: float | None = None,
    divide_by_sequences: bool = False,
    batch: Totals | None = None,
) -> Tensor:
    """Weights such that the loss of the batch is `weighted_sum(per_token, weights)`.

    With `batch` the weights of a part of the batch are those that the whole batch would give: losses and gradients of
    the parts add up to the whole's, however it is cut.

    Args:
        mask: [B, T] bool or 0/1: tokens that are trained.
        mode: `token-mean`: 1 / tokens of the batch. `seq-mean-token-sum`: 1 / sequences that have a trained token.
            `seq-mean-token-mean`: that, over (tokens of the row + 1e-8). `seq-mean-token-sum-norm`: 1 / `constant`.
        constant: Divisor in tokens, > 0, of seq-mean-token-sum-norm only; None is the width T of the mask.
        divide_by_sequences: seq-mean-token-sum-norm only: divide by the number of sequences as well.
        batch: Counts of the whole batch; None where `mask` is the whole batch.
    Returns: [B, T] float64, 0 where `mask` is 0 (everywhere, where nothing is trained).
    Raises: ValueError on an unknown mode, or `constant` or `divide_by_sequences` where the mode has no use for it.
    Source: Yu et al. 2025, arXiv:2503.14476, eq. 8 (token mean); Liu et al. 2025, arXiv:2503.20783 (constant).
    """
    require_choice("aggregation", mode, AGGREGATIONS)
    if mode != "seq-mean-token-sum-norm" and (constant is not None or divide_by_sequences):
        raise ValueError(f"constant and divide_by_sequences belong to seq-mean-token-sum-norm: got mode {mode!r}")
    weights = mask.bool().to(torch.float64)
    tokens, sequences = totals(mask) if batch is None else batch
    if mode == "token-mean":
        return weights / max(tokens, 1)
    if mode == "seq-mean-token-sum":
        return weights / max(sequences, 1)
    if mode == "seq-mean-token-mean":
        return weights / (weights.sum(dim=-1, keepdim=True) + SMALL) / max(sequences, 1)
    constant = mask.shape[-1] if constant is None else constant
    require_between("constant", constant, 0.0, open_low=True)
    return weights / constant / (max(sequences, 1) if divide_by_sequences else 1)


def weighted_sum(per_token: Tensor, weights: Tensor) -> Tensor:
    """Sum of per_token * weights as a scalar of `per_token`'s dtype; entries of weight 0 count 0 even if NaN."""
    return (torch.where(weights != 0, per_token, 0.0) * weights.to(per_token.dtype)).sum()


def masked_fraction(flags: Tensor, mask: Tensor) -> Tensor:
    """Share of the trained tokens whose flag is set: sum(flags and mask) / (sum(mask) + 1e-8). Scalar float64."""
    inside = mask.bool()
    return (flags.bool() & inside).sum().double() / (inside.sum().double() + SMALL)
