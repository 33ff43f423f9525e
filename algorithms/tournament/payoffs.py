"""The matrix of payoffs: what everybody gets against everybody, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from turnwise.algorithms.tournament.games import Array, Record, ends


@dataclass(frozen=True, slots=True)
class Payoffs:
    """[n, n] each. The diagonal, and pairs that did not play, are NaN."""

    mean: Array
    """Mean return of the row player against the column player, in task units."""
    low: Array
    """95%, by drawing deals again; as `mean` where all games of a pair paid the same."""
    high: Array
    games: Array

    @property
    def complete(self) -> bool:
        """Whether every pair has played."""
        return bool((self.games + np.eye(len(self.games)) > 0).all())


def payoffs(games: Record, rng: np.random.Generator, samples: int = 500) -> Payoffs:
    """The mean payoffs of all pairs, and their intervals from the means of `samples` draws of deals."""
    low, high = ends(payoff_samples(games, games.weights(rng, samples)))
    (mean,) = payoff_samples(games, np.ones((1, len(games.wins))))
    return Payoffs(mean, low, high, games.games.sum(0))


def payoff_samples(games: Record, weights: Array) -> Array:
    """[S, n, n]: the mean payoffs when deals count as `weights` [S, D] say; NaN for a pair without games."""
    with np.errstate(invalid="ignore", divide="ignore"):
        paid: Array = np.tensordot(weights, games.paid, 1) / np.tensordot(weights, games.games, 1)
    return paid


def antisymmetric(mean: Array) -> Array:
    """Half of what the row player gets more than the column player: in a zero-sum game `mean` itself, with 0 for NaN.

    Raises ValueError where a pair did not play.
    """
    filled = mean.copy()
    np.fill_diagonal(filled, 0.0)
    if np.isnan(filled).any():
        raise ValueError("the whole matrix is needed, every pair at least once: some pairs have no games")
    return (filled - filled.T) / 2
