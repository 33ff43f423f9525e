"""Nash averaging: what everybody gets against the equilibrium of the meta-game; copies and cycles do no harm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from turnwise.algorithms.tournament.games import Array

NDArrayBool = NDArray[np.bool_]

_MOST = 1e6
"""Bound of the search for who can be in an equilibrium: shares below its inverse count as 0."""


@dataclass(frozen=True, slots=True)
class NashAverage:
    """[n] each."""

    shares: Array
    """The equilibrium of the highest entropy: how much each player is in it."""
    rating: Array
    """Payoff of each player against it, in task units: 0 for its members, at most 0 for all others."""


def nash_average(advantage: Array) -> NashAverage:
    """The ratings of an antisymmetric matrix: what the row player gets more than the column player.

    Raises ValueError where it is not antisymmetric. Source: Balduzzi et al. 2018, "Re-evaluating evaluation", sec. 3.
    """
    if not np.allclose(advantage, -advantage.T, atol=1e-9):
        raise ValueError("Nash averaging is of an antisymmetric matrix: what one gains, the other loses")
    scale = float(np.abs(advantage).max())
    shares = _most_even(advantage / scale) if scale > 0 else np.full(len(advantage), 1 / len(advantage))
    return NashAverage(shares, advantage @ shares)


def _most_even(advantage: Array) -> Array:
    """The equilibrium of the highest entropy of a symmetric zero-sum game with entries in [-1, 1].

    Members of the support are held to a payoff of 0, as in every equilibrium, and others to at most 0. With one
    multiplier m per row, the shares are proportional to exp(-m A), and the multipliers minimise a convex function.
    """
    from scipy.optimize import minimize

    members = support(advantage)
    if members.sum() == 1:
        return members.astype(np.float64)
    rows = advantage[:, members]
    free = [(None, None) if member else (0.0, None) for member in members]

    def cost(multipliers: Array) -> tuple[float, Array]:
        exponents = -multipliers @ rows
        top = exponents.max()
        weights = np.exp(exponents - top)
        return float(top + np.log(weights.sum())), -rows @ (weights / weights.sum())

    start, options = np.zeros(len(advantage)), {"maxiter": 10_000, "ftol": 1e-16, "gtol": 1e-11}
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=free, options=options)
    exponents = -found.x @ rows
    weights = np.exp(exponents - exponents.max())
    shares = np.zeros(len(advantage))
    shares[members] = weights / weights.sum()
    return shares


def support(advantage: Array) -> NDArrayBool:
    """[n] bool: who has a share in some equilibrium. Of all x >= 0 with A x <= 0, one has the most entries above 1."""
    from scipy.optimize import linprog

    players = len(advantage)
    one, none = np.eye(players), np.zeros((players, players))
    found = linprog(
        np.concatenate([np.zeros(players), -np.ones(players)]),
        A_ub=np.block([[advantage, none], [-one, one]]),
        b_ub=np.zeros(2 * players),
        bounds=[(0, _MOST)] * players + [(0, 1)] * players,
        method="highs",
    )
    if found.status != 0:
        raise RuntimeError(f"every such game has an equilibrium, and none was found: {found.message}")
    members: NDArrayBool = found.x[players:] > 0.5
    return members
