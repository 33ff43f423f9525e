"""The figures of a suite, from rows alone: rates and means with 95% intervals, pass@k, differences of paired agents."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnwise.algorithms.evaluation.intervals import Interval, wilson
from turnwise.algorithms.evaluation.rows import Row

Array = NDArray[np.float64]
ROUNDING = 1e-9
"""By which a sum of rewards may miss the most that a game pays, in task units."""
SAMPLES = 1_000
"""Draws behind an interval that is made by drawing problems again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What a task is measured by, and between which bounds."""

    measure: str
    lowest: float
    """Of the returns that the game pays."""
    highest: float

    def value(self, row: Row) -> float:
        """Of one finished game: 1 or 0 where a rate is measured, else its return."""
        if self.measure == "solved":
            return float(row.gained >= self.highest - ROUNDING)
        if self.measure == "won":
            return float(row.gained > 0)
        return float(row.gained >= 0) if self.measure == "not_lost" else row.gained

    def score(self, value: float) -> float:
        """Between 0 and 1: a rate as it is, a return between the bounds of the game."""
        if self.measure != "return":
            return value
        return (value - self.lowest) / (self.highest - self.lowest)


def problem_means(rows: Iterable[Row], scale: Scale) -> dict[str, float]:
    """Problem -> mean value of its games, of those problems of which every game came to an end of the game's own."""
    values: dict[str, list[float]] = {}
    broken = set()
    for row in rows:
        values.setdefault(row.problem, []).append(scale.value(row))
        if not row.finished:
            broken.add(row.problem)
    return {problem: sum(of) / len(of) for problem, of in values.items() if problem not in broken}


def bootstrap(values: Sequence[float], seed: int) -> Interval | None:
    """The interval of the mean of independent values, by drawing them again; None for fewer than two."""
    if len(values) < 2:
        return None
    means = resampled_means(values, seed)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def resampled_means(values: Sequence[float], seed: int) -> Array:
    """[SAMPLES]: means of as many values as there are, drawn with replacement."""
    listed = np.array(values)
    counts = np.random.default_rng(seed).multinomial(len(listed), np.full(len(listed), 1 / len(listed)), size=SAMPLES)
    means: Array = counts @ listed / len(listed)
    return means


def rate_interval(means: Sequence[float], games: int, attempts: int) -> Interval:
    """Wilson's interval of a rate. Tries at one problem are alike: there, a problem counts as one trial."""
    rate = sum(means) / len(means)
    trials = len(means) if attempts > 1 else games
    return wilson(min(rate * trials, trials), trials)


def pass_at(tries: int, solved: int, k: int) -> float:
    """How likely one of k tries solves a problem, without bias, from `tries` of which `solved` did.

    Raises ValueError unless 0 <= solved <= tries and 1 <= k <= tries.
    Source: Chen et al. 2021, arXiv:2107.03374, eq. 1: 1 - C(tries - solved, k) / C(tries, k).
    """
    if not (0 <= solved <= tries and 1 <= k <= tries):
        raise ValueError(f"pass@k needs 0 <= solved <= tries and 1 <= k <= tries: got {solved} of {tries}, k={k}")
    return 1 - math.comb(tries - solved, k) / math.comb(tries, k)


def task_figures(
    rows: Sequence[Row], scale: Scale, attempts: int, asked: Mapping[str, float], seed: int
) -> dict[str, Any]:
    """What one agent did at one task. Raises ValueError where no problem was played to its end."""
    means = problem_means(rows, scale)
    if not means:
        raise ValueError(f"no game could be played to its end ({rows[0].status})")
    whole = [row for row in rows if row.problem in means]
    value, interval = _estimate(list(means.values()), len(whole), scale, attempts, seed)
    turns, invalid = sum(row.turns for row in whole), sum(row.invalid for row in whole)
    known = [row.tokens for row in whole if row.tokens is not None]
    return {
        "measure": scale.measure,
        "value": value,
        "interval": interval,
        "score": scale.score(value),
        "games": len(whole),
        "problems": len(means),
        "failed": len(rows) - len(whole),
        "mean_return": sum(row.gained for row in whole) / len(whole),
        "pass_at": _passes(whole, scale, attempts, seed),
        "levels": _levels(whole, scale, attempts, seed),
        "turns": turns / len(whole),
        "tokens": sum(known) / len(known) if known else None,
        "tool_calls": sum(row.tool_calls for row in whole) / len(whole),
        "invalid_rate": invalid / turns if turns else 0.0,
        "invalid_interval": wilson(invalid, turns) if turns else None,
        "stopped": sum(row.status == "truncated" for row in whole) / len(whole),
        "usage": dict(asked) or None,
    }


def _estimate(
    means: Sequence[float], games: int, scale: Scale, attempts: int, seed: int
) -> tuple[float, Interval | None]:
    value = sum(means) / len(means)
    if scale.measure == "return":
        return value, bootstrap(means, seed)
    return value, rate_interval(means, games, attempts)


def _passes(rows: Sequence[Row], scale: Scale, attempts: int, seed: int) -> dict[str, Any] | None:
    """`1`, `2`, `4`, ... -> pass@k and its interval over problems; None where there is one try, or nothing to solve."""
    if attempts < 2 or scale.measure == "return":
        return None
    solved: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        solved.setdefault((row.problem, row.seat), []).append(scale.value(row))
    found = {}
    for k in sorted({*(2**power for power in range(attempts.bit_length())), attempts}):
        passes = [pass_at(len(tries), round(sum(tries)), k) for tries in solved.values()]
        found[str(k)] = {"value": sum(passes) / len(passes), "interval": bootstrap(passes, seed)}
    return found


def _levels(rows: Sequence[Row], scale: Scale, attempts: int, seed: int) -> dict[str, Any]:
    """Level -> value, interval, games; {} where the game has none."""
    found = {}
    for level in dict.fromkeys(row.level for row in rows):
        if level is not None:
            own = [row for row in rows if row.level == level]
            means = list(problem_means(own, scale).values())
            value, interval = _estimate(means, len(own), scale, attempts, seed)
            found[level] = {"value": value, "interval": interval, "games": len(own)}
    return found


def difference(mine: Mapping[str, float], theirs: Mapping[str, float], seed: int) -> dict[str, Any]:
    """Mean by which the first is ahead on the problems that both have played, and its interval over these problems.

    Raises ValueError where there is no such problem.
    """
    shared = sorted(mine.keys() & theirs.keys())
    if not shared:
        raise ValueError("agents are compared on problems that both have played: there are none")
    apart = [mine[problem] - theirs[problem] for problem in shared]
    mean = sum(apart) / len(apart)
    return {"mean": mean, "interval": bootstrap(apart, seed), "problems": len(shared)}


def mean_over(tasks: Sequence[Sequence[float]], seed: int, by: Callable[[int, float], float]) -> dict[str, Any]:
    """The mean over tasks of `by(task, mean of its values)`, and its interval by drawing the problems of each again."""
    value = sum(by(index, sum(of) / len(of)) for index, of in enumerate(tasks)) / len(tasks)
    if any(len(of) < 2 for of in tasks):
        return {"mean": value, "interval": None}
    drawn = sum(
        np.array([by(index, mean) for mean in resampled_means(of, seed + index)]) for index, of in enumerate(tasks)
    ) / len(tasks)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {"mean": value, "interval": (float(low), float(high))}
