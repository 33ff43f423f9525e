"""Elo ratings by maximum likelihood: Bradley-Terry with draws, intervals by drawing deals again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from turnwise.algorithms.tournament.games import Array, Record, ends

SCALE = 400 / math.log(10)
"""Elo points per unit of log-strength: 400 points are odds of ten to one."""
MEAN = 1500.0
"""The mean rating of a tournament. Ratings of two tournaments cannot be compared, differences of one can."""
PRIOR = 1.0
"""Games, half won and half lost against a player of mean strength, that everybody is taken to have played besides: who
won or lost every game would have an infinite rating. 0 leaves the pure maximum of the likelihood."""
Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of all pairs of players."""
_STEPS = 100
_ONLY_DRAWS = 0.01
"""Weight of the pull that keeps the frequency of draws finite where there was nothing else."""
_NEVER = -60.0
"""Log of the frequency of draws where there was none."""


@dataclass(frozen=True, slots=True)
class Elo:
    """[n] each, in Elo points."""

    rating: Array
    low: Array
    high: Array
    draw: float
    """How much players of equal strength draw: their draws per decided game are half of this."""


def elo(games: Record, rng: np.random.Generator, samples: int = 300, prior: float = PRIOR) -> Elo:
    """The ratings of all players, with 95% intervals from `samples` draws of deals."""
    strength, draw = bradley_terry(games.wins.sum(0), games.draws.sum(0), prior=prior)
    start = np.append(strength, math.log(draw) if draw else _NEVER)
    weights = games.weights(rng, samples)
    wins, draws = np.tensordot(weights, games.wins, 1), np.tensordot(weights, games.draws, 1)
    drawn = [bradley_terry(won, even, prior=prior, start=start)[0] for won, even in zip(wins, draws, strict=True)]
    low, high = ends(np.array(drawn))
    return Elo(MEAN + SCALE * strength, MEAN + SCALE * low, MEAN + SCALE * high, draw)


def bradley_terry(wins: Array, draws: Array, *, prior: float = 0.0, start: Array | None = None) -> tuple[Array, float]:
    """(log-strengths with mean 0 [n], frequency of draws) that make the games likeliest.

    wins: [n, n], how often the row player won. draws: [n, n], symmetric. prior: see `PRIOR`.
    start: log-strengths and the log of the frequency to begin the search with.
    Raises ValueError where it has no maximum: with prior 0, where some players never lost to the others.
    Source: Davidson 1970, "On extending the Bradley-Terry model to accommodate ties", eq. 2.3: with s = exp(strength),
    the odds of won : lost : drawn are s_i : s_j : draw * sqrt(s_i s_j). The log-likelihood is concave; Newton's steps.
    """
    players = len(wins)
    if prior == 0 and not _is_connected(wins + draws > 0):
        raise ValueError("the likelihood of these games has no maximum: some players never lost to the others")
    upper = np.triu_indices(players, 1)
    counts = np.stack([wins[upper], wins.T[upper], draws[upper]])
    place = np.zeros(players + 1) if start is None else start.copy()
    if not draws.any():
        place[-1] = _NEVER
    elif start is not None and place[-1] <= _NEVER:
        place[-1] = 0.0
    value, slope, bend = _likelihood(place, upper, counts, prior)
    for _ in range(_STEPS):
        if np.abs(slope).max() < 1e-9 * (1 + counts.sum()):
            strength = place[:players]
            return strength - strength.mean(), math.exp(place[players]) if draws.any() else 0.0
        step = np.linalg.solve(bend + 1e-12 * np.eye(players + 1), slope)
        size = 1.0
        while size > 1e-10:
            moved = _likelihood(place + size * step, upper, counts, prior)
            if moved[0] >= value - 1e-12 * abs(value):
                break
            size /= 2
        place = place + size * step
        value, slope, bend = moved
    raise RuntimeError(f"the likelihood of these games has a maximum, and it was not found in {_STEPS} steps")


def _is_connected(held: NDArray[np.bool_]) -> bool:
    """Whether everybody is reached from everybody by steps from a player to one who did not beat it every time."""
    reach = held | np.eye(len(held), dtype=bool)
    for _ in range(len(held).bit_length()):
        reach = reach @ reach
    return bool(reach.all())


def _likelihood(place: Array, upper: Pairs, counts: Array, prior: float) -> tuple[float, Array, Array]:
    """Log-likelihood, its gradient [n + 1], and the negative of its Hessian [n + 1, n + 1].

    counts: [3, pairs] of won, lost, drawn. The sum of the strengths is held at 0.
    """
    size, (rows, columns) = len(place), upper
    half = (place[rows] - place[columns]) / 2
    odds = np.stack([half, -half, np.full(len(half), place[-1])])
    top = odds.max(0)
    logs = odds - top - np.log(np.exp(odds - top).sum(0))
    chances, total = np.exp(logs), counts.sum(0)
    value = float((counts * logs).sum())
    lead = counts[0] - counts[1] - total * (chances[0] - chances[1])
    slope, bend = np.zeros(size), np.zeros((size, size))
    np.add.at(slope, rows, lead / 2)
    np.add.at(slope, columns, -lead / 2)
    slope[-1] = (counts[2] - total * chances[2]).sum()
    spread = total * (chances[0] + chances[1] - (chances[0] - chances[1]) ** 2) / 4
    cross = -total * chances[2] * (chances[0] - chances[1]) / 2
    for one, other, sign in ((rows, rows, 1), (columns, columns, 1), (rows, columns, -1), (columns, rows, -1)):
        np.add.at(bend, (one, other), sign * spread)
    for one, sign in ((rows, 1), (columns, -1)):
        np.add.at(bend, (one, np.full(len(one), size - 1)), sign * cross)
        np.add.at(bend, (np.full(len(one), size - 1), one), sign * cross)
    bend[-1, -1] = (total * chances[2] * (1 - chances[2])).sum()
    pull = 0.0 if counts[:2].any() else _ONLY_DRAWS
    return _regularised(place, value, slope, bend, prior, pull)


def _regularised(
    place: Array, value: float, slope: Array, bend: Array, prior: float, pull: float
) -> tuple[float, Array, Array]:
    """The same with the priors, and with a pull that holds the free sum of the strengths at 0.

    Without draws their frequency stays where it is.
    """
    strength = place[:-1]
    value -= float(prior * np.log(2 * np.cosh(strength / 2)).sum()) + strength.sum() ** 2 / 2
    slope[:-1] -= prior / 2 * np.tanh(strength / 2) + strength.sum()
    bend[:-1, :-1] += np.diag(prior / 4 / np.cosh(strength / 2) ** 2) + 1.0
    if place[-1] <= _NEVER:
        slope[-1], bend[-1, :], bend[:, -1] = 0.0, 0.0, 0.0
        bend[-1, -1] = 1.0
    else:
        value -= pull * float(np.log(2 * np.cosh(place[-1] / 2)))
        slope[-1] -= pull / 2 * math.tanh(place[-1] / 2)
        bend[-1, -1] += pull / 4 / math.cosh(place[-1] / 2) ** 2
    return value, slope, bend
