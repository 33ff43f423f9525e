"""What the arms of a bandit pay: drawn at the start of an episode, all payments included.

Payments are drawn beforehand, so that the n-th pull of an arm pays the same whatever was pulled in between: two
episodes of one seed differ by their choices alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from turnwise.envs.bandits.index import Vector

GAPS = {"easy": 0.5, "hard": 0.2}
"""Level -> how much more often the best Bernoulli arm pays than any other; 1/2 lies in the middle."""
SPREADS = {"easy": 1.0, "hard": 3.0}
"""Level -> standard deviation of the Gaussian arms' means, and of their payments around them."""
NOISE = {"easy": 0.1, "hard": 0.3}
"""Level -> standard deviation of the payments around the mean where there are contexts."""
TAIL = 3.0
"""Standard deviations at which normal draws are cut off: symmetrically, so that means stay. It bounds what is paid."""
PARTS = 20
"""A context shares out so many parts of 1 / PARTS over its features."""


@dataclass(frozen=True, slots=True)
class Arms:
    """The arms of one episode."""

    means: Any
    """[K] float64, expected payment of each arm; [T, K] where it depends on the context of the turn."""
    payments: Any
    """[T, K] float64, rounded to 1/100: of the n-th pull of an arm, or of turn n where there are contexts."""


@dataclass(frozen=True, slots=True)
class Contexts:
    """What the seat is shown before every pull."""

    shares: Any
    """[T, D] float64, at least 0, each row sums to 1."""
    weights: Any
    """[K, D] float64 in [-1, 1]: what an arm pays for a context that is all of one feature."""


def bernoulli_arms(count: int, horizon: int, level: str, rng: np.random.Generator) -> Arms:
    """One best arm, drawn uniformly, that pays 1 with probability (1 + gap) / 2; the others with (1 - gap) / 2."""
    means = np.full(count, (1 - GAPS[level]) / 2)
    means[int(rng.integers(count))] = (1 + GAPS[level]) / 2
    return Arms(means, (rng.random((horizon, count)) < means).astype(np.float64))


def gaussian_arms(count: int, horizon: int, level: str, rng: np.random.Generator) -> Arms:
    """Means from a normal distribution around 0, payments from one of the same spread around the mean."""
    means = SPREADS[level] * _cut(rng.standard_normal(count))
    payments = means + SPREADS[level] * _cut(rng.standard_normal((horizon, count)))
    return Arms(means, payments.round(2))


def linear_arms(count: int, features: int, horizon: int, level: str, rng: np.random.Generator) -> tuple[Arms, Contexts]:
    """Arms whose mean is linear in the context: weights uniform in [-1, 1], contexts from a flat multinomial.

    Payments lie around 0, which is what LinUCB takes an arm to pay of which it knows nothing.
    """
    weights = rng.uniform(-1, 1, (count, features))
    shares = rng.multinomial(PARTS, [1 / features] * features, size=horizon) / PARTS
    means = (shares[:, None, :] * weights).sum(axis=2)
    payments = means + NOISE[level] * _cut(rng.standard_normal((horizon, count)))
    return Arms(means, payments.round(2)), Contexts(shares, weights)


def payment_bounds(kind: str, level: str) -> tuple[float, float]:
    """(lowest, highest) payment of one pull, for the kinds bernoulli, gaussian and linear."""
    if kind == "bernoulli":
        return 0.0, 1.0
    if kind == "gaussian":
        return -2 * TAIL * SPREADS[level], 2 * TAIL * SPREADS[level]
    most = round(1 + TAIL * NOISE[level], 2)
    return -most, most


def _cut(draws: Vector) -> Vector:
    return np.clip(draws, -TAIL, TAIL)
