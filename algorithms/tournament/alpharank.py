"""alpha-rank: how long a population that plays the meta-game, and copies what does better, stays with each player."""

from __future__ import annotations

import numpy as np

from turnwise.algorithms.tournament.games import Array

NOISE = 0.01
"""Share of the moves against the arrows where the pressure is infinite: it keeps the chain in one piece."""


def alpha_rank(payoff: Array, *, pressure: float | None = None, population: int = 50, noise: float = NOISE) -> Array:
    """[n]: the stationary distribution over the players of a symmetric two-player game.

    Args:
        payoff: [n, n], what the row player gets against the column player, in task units. The diagonal is not read.
        pressure: alpha, how strongly selection follows payoffs, per task unit; None for its limit at infinity, in
            which only who beats whom counts.
        population: how many individuals there are, of which one mutates at a time. noise: see `NOISE`.
    Raises ValueError where payoffs are missing.
    Source: Omidshafiei et al. 2019, arXiv:1903.01373, eq. 11 to 16 with the local model of selection.
    """
    players = len(payoff)
    lead = payoff - payoff.T
    np.fill_diagonal(lead, 0.0)
    if np.isnan(lead).any():
        raise ValueError("alpha-rank needs the whole matrix, every pair at least once: some pairs have no games")
    if players == 1:
        return np.ones(1)
    chances = _limit(lead, noise) if pressure is None else _fixation(pressure * lead.T, population)
    moves = chances / (players - 1)
    np.fill_diagonal(moves, 0.0)
    np.fill_diagonal(moves, 1 - moves.sum(1))
    return _stationary(moves)


def _limit(lead: Array, noise: float) -> Array:
    """[n, n]: how likely a mutant (column) takes over a population (row) under infinite pressure."""
    chances = np.where(lead.T > 0, 1 - noise, noise)
    return np.where(np.abs(lead.T) <= 1e-14, 0.5, chances)


def _fixation(gain: Array, population: int) -> Array:
    """[n, n]: the same for gains of the mutant (column) over the population (row), in units of the pressure."""
    with np.errstate(over="ignore", invalid="ignore"):
        up: Array = np.expm1(-np.abs(gain)) / np.expm1(-population * np.abs(gain))
        chances = np.where(gain >= 0, up, up * np.exp((population - 1) * np.minimum(gain, 0.0)))
    return np.where(np.abs(gain) < 1e-14, 1 / population, chances)


def _stationary(moves: Array) -> Array:
    """[n]: the distribution that the chain keeps. It is the only one: of any two players one can take over."""
    size = len(moves)
    equations = np.vstack([moves.T - np.eye(size), np.ones(size)])
    found = np.linalg.lstsq(equations, np.append(np.zeros(size), 1.0), rcond=None)[0]
    above = np.maximum(found, 0.0)
    shares: Array = above / above.sum()
    return shares
