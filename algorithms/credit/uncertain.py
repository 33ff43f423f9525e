"""Tokens that were no foregone conclusion: only they are credited, and only they enter the whitening (SPO)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from turnwise.algorithms.credit.episodes import TurnCredit
from turnwise.algorithms.credit.groups import Floats
from turnwise.algorithms.credit.tokens import per_token, settled, token_column
from turnwise.algorithms.credit.whiten import flat, refilled, whiten
from turnwise.records import Episode

Flags = npt.NDArray[np.bool_]


def zero_certain(advantages: Floats, probs: Floats, threshold: float) -> Floats:
    """The advantages with 0 on tokens whose probability is above `threshold`; any shape."""
    return np.where(probs > threshold, 0.0, advantages)


def loss_mask(probs: Floats, mask: Flags, threshold: float) -> Flags:
    """Tokens of `mask` whose probability is below `threshold`; any shape."""
    return mask & (probs < threshold)


def whiten_uncertain(advantages: Floats, probs: Floats, mask: Flags, threshold: float) -> Floats:
    """(A - mean) / sqrt(sample variance + 1e-8), with the statistics of the uncertain tokens.

    Args:
        advantages, probs: One per token, any shape; probabilities under the policy before the update.
        mask: True on tokens of replies. Where none of them is uncertain, all of them are counted.
    Returns: float64 of the same shape, shifted and scaled outside the mask as well. One counted token: only shifted.
    Source: Guo et al. 2025 (SPO), released code.
    """
    counted = loss_mask(probs, mask, threshold)
    counts = (counted if counted.any() else mask).astype(np.float64)
    return whiten(advantages.ravel(), counts.ravel()).reshape(advantages.shape)


def finish(table: TurnCredit, episodes: Sequence[Episode], threshold: float | None, whitened: bool) -> TurnCredit:
    """The probability mask and the whitening over all that is trained in the batch.

    Args:
        table: NaN stands on tokens that are trained elsewhere: they end as 0 and count nowhere.
        threshold: Tokens of a probability above it get 0, before and after the whitening; None masks nothing.
    Returns: The table; with a threshold or whitening, one number per token.
    Raises: ValueError if there is a threshold and a trained turn without train_logprobs.
    """
    if threshold is None and not whitened:
        return settled(table)
    full = per_token(table, episodes)
    values = flat(full)
    own = ~np.isnan(values)
    highest = 1.0 if threshold is None else threshold
    # Without a threshold every token is uncertain.
    probs = np.zeros_like(values) if threshold is None else np.exp(token_column(table, episodes, "train_logprobs"))
    values = zero_certain(np.where(own, values, 0.0), probs, highest)
    if whitened:
        values = whiten_uncertain(values, probs, own, highest)
    return refilled(full, np.where(own, zero_certain(values, probs, highest), 0.0))
