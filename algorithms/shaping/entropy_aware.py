"""AEPO's entropy-aware advantage: tokens at which the policy was unsure count more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.credit.episodes import TurnCredit
from turnwise.algorithms.credit.groups import Floats
from turnwise.algorithms.credit.tokens import per_token, token_column
from turnwise.algorithms.credit.uncertain import Flags
from turnwise.algorithms.credit.whiten import flat, refilled
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyAwareSettings:
    """Settings of the entropy-aware advantage."""

    alpha: float = 0.2
    """Share of the advantage added per standard deviation of entropy above the mean, > 0."""

    def __post_init__(self) -> None:
        require_between("alpha", self.alpha, 0.0, open_low=True)


def entropy_weights(entropies: Floats, mask: Flags, alpha: float) -> Floats:
    """1 + alpha z, z the entropy's distance from the mean in sample standard deviations.

    Args:
        entropies: One per token in nats, any shape, under the policy before the update.
        mask: True on tokens that are trained: they make mean and deviation.
    Returns: float64 of the same shape, 1 outside the mask. Entropies that are all equal, or one alone, give 1.
    Source: Dong et al. 2025 (AEPO), arXiv:2510.14545, section 3.3; the deviation: its released code.
    """
    inside = entropies[mask]
    if not inside.size:
        return np.ones_like(entropies)
    difference = inside - inside.min()  # so that equal entropies leave exactly 0
    difference = difference - difference.mean()
    deviation = float(np.sqrt((difference**2).sum() / max(len(difference) - 1, 1)))
    weights = np.ones_like(entropies)
    weights[mask] += alpha * difference / (deviation or 1.0)
    return weights


def shape(
    episodes: Sequence[Episode], advantages: TurnCredit, settings: EntropyAwareSettings, learner: str = "policy"
) -> tuple[TurnCredit, Mapping[str, float]]:
    """A (1 + alpha z(H)) per token, statistics over all that is trained in the batch.

    Returns: One number per token of every trained turn; figures.
    Raises: ValueError if a trained turn has no token_entropy: without it, nothing would be shaped.
    """
    entropies = token_column(advantages, episodes, "token_entropy")
    if not entropies.size:
        return advantages, {}
    weights = entropy_weights(entropies, np.ones(len(entropies), dtype=bool), settings.alpha)
    table = per_token(advantages, episodes)
    figures = {"entropy_weight_min": float(weights.min()), "entropy_weight_max": float(weights.max())}
    return refilled(table, flat(table) * weights), figures
