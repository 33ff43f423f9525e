"""The mathematics of bandits: upper confidence indices, regret, hardness. Numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.floating[Any]]


class Index(NamedTuple):
    """The two parts of an upper confidence index; the arm where their sum is largest is the one to pull."""

    exploit: Vector
    """[K] float64, reward units. What each arm seems to pay; 0 where it was never pulled."""
    bonus: Vector
    """[K] float64, reward units. How much more it might pay; infinite where it was never pulled."""

    @property
    def total(self) -> Vector:
        """[K] float64, reward units."""
        return self.exploit + self.bonus


def ucb_index(sum_rewards: ArrayLike, pulls: ArrayLike, *, alpha: float = 0.5) -> Index:
    """UCB1's index: mean reward, and sqrt(alpha ln N / n) for an arm pulled n times out of N.

    Args:
        sum_rewards, pulls: [K]. Sum of the rewards and number of pulls of each arm.
        alpha: weight of the bonus; 1/2 in EVOLvE, 2 in Auer et al.
    Source: Auer et al. 2002; EVOLvE, arXiv:2410.06238.
    """
    sums, counts = np.asarray(sum_rewards, dtype=np.float64), np.asarray(pulls, dtype=np.float64)
    tried, total = counts > 0, counts.sum()
    safe = np.where(tried, counts, 1.0)
    bonus = np.where(tried, np.sqrt(alpha * log(max(total, 1.0)) / safe), inf)
    return Index(np.where(tried, sums / safe, 0.0), bonus)


class LinearIndex(NamedTuple):
    """LinUCB's view of one arm in one context."""

    theta: Vector
    """[D] float64. The arm's estimated weight of every feature."""
    exploit: float
    bonus: float
    """Both in reward units."""


def linucb_index(features: ArrayLike, rewards: ArrayLike, context: ArrayLike, *, alpha: float = 0.5) -> LinearIndex:
    """LinUCB's index of one arm: ridge regression of its rewards on the contexts, and alpha sqrt(x' A^-1 x).

    A is the identity plus the sum of x x' over the arm's pulls.

    Args:
        features: [N, D]. The contexts in which the arm was pulled; N may be 0.
        rewards: [N]. What it paid.
        context: [D]. The context to judge.
        alpha: weight of the bonus.
    Source: Li et al. 2010, algorithm 1, disjoint form; EVOLvE, arXiv:2410.06238.
    """
    x = np.asarray(context, dtype=np.float64)
    seen = np.asarray(features, dtype=np.float64).reshape(-1, len(x))
    precision = np.eye(len(x)) + seen.T @ seen
    theta: Vector = np.linalg.solve(precision, seen.T @ np.asarray(rewards, dtype=np.float64))
    width = float(x @ np.linalg.solve(precision, x))
    return LinearIndex(theta, float(theta @ x), alpha * float(np.sqrt(max(width, 0.0))))


class Regret(NamedTuple):
    """What was lost in expectation against always pulling the best arm."""

    instant: Vector
    """[T] float64, reward units. Of every pull."""
    cumulative: Vector
    """[T] float64, reward units. Of all pulls up to each one."""


def regret(means: ArrayLike, actions: Sequence[int]) -> Regret:
    """Expected (pseudo-)regret of a sequence of pulls.

    Args:
        means: [K], or [T, K] where the expected rewards change from pull to pull.
        actions: [T]. The arm of every pull.
    """
    pulled = np.asarray(actions, dtype=np.intp)
    expected = np.asarray(means, dtype=np.float64)
    table = np.broadcast_to(expected, (len(pulled), expected.shape[-1]))
    instant = table.max(axis=1, initial=-inf) - table[np.arange(len(pulled)), pulled]
    return Regret(instant, np.cumsum(instant))


def hardness(best: tuple[float, float], second: tuple[float, float]) -> float:
    """Kullback-Leibler divergence, in nats, of the best arm from the second best; the smaller, the harder to tell.

    best, second: (mean, standard deviation) of normal rewards. Raises ValueError unless both deviations are positive.
    """
    (mean, deviation), (other_mean, other_deviation) = best, second
    if deviation <= 0 or other_deviation <= 0:
        raise ValueError(f"standard deviations are positive: got {deviation} and {other_deviation}")
    spread = (deviation**2 + (mean - other_mean) ** 2) / (2 * other_deviation**2)
    return log(other_deviation / deviation) + spread - 0.5
