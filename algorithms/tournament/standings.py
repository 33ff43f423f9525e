"""The result of a tournament as plain figures: a row per player, one per pair, the matrix, and what there is to say."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from turnwise.algorithms.tournament.alpharank import alpha_rank
from turnwise.algorithms.tournament.elo import elo
from turnwise.algorithms.tournament.games import Array, Game, Record, ends, record
from turnwise.algorithms.tournament.nash import nash_average
from turnwise.algorithms.tournament.payoffs import Payoffs, antisymmetric, payoff_samples, payoffs
from turnwise.algorithms.tournament.skill import skill

MOST_CYCLES = 5
META_SAMPLES = 100
"""Draws of deals behind the intervals of Nash averaging."""


def standings(games: Sequence[Game], names: Sequence[str], seed: int) -> dict[str, Any]:
    """players (best Elo first), pairs, matrix, cycles and notes. All is in task units or Elo points, intervals 95%."""
    found = record(games, names)
    paid = payoffs(found, np.random.default_rng((seed, 1)))
    notes: list[str] = []
    rows = [{"name": name, **_counts(found, index)} for index, name in enumerate(names)]
    columns = {**_ratings(games, found, seed), **_meta(found, paid, seed, notes)}
    for name, values in columns.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    cycles = beaten_in_circles(paid, names)
    notes += [f"nobody is best: {' beats '.join((*cycle, cycle[0]))}" for cycle in cycles]
    ranked = sorted(rows, key=lambda row: -row["elo"])
    return {
        "players": [{"rank": place + 1, **row} for place, row in enumerate(ranked)],
        "pairs": pair_rows(found, paid),
        "matrix": matrix(paid, names),
        "cycles": cycles,
        "notes": notes,
    }


def _counts(found: Record, index: int) -> dict[str, Any]:
    wins, draws = found.wins.sum(0), found.draws.sum(0)
    games = int(found.games.sum(0)[index].sum())
    return {
        "games": games,
        "wins": int(wins[index].sum()),
        "draws": int(draws[index].sum()),
        "losses": int(wins[:, index].sum()),
        "mean_return": float(found.paid.sum(0)[index].sum() / games) if games else None,
    }


def _ratings(games: Sequence[Game], found: Record, seed: int) -> dict[str, list[Any]]:
    rated = elo(found, np.random.default_rng((seed, 2)))
    skilled = skill(games, found.names)
    return {
        "elo": rated.rating.tolist(),
        "elo_interval": _pairs(rated.low, rated.high),
        "skill": skilled.mean.tolist(),
        "skill_interval": _pairs(skilled.low, skilled.high),
    }


def _meta(found: Record, paid: Payoffs, seed: int, notes: list[str]) -> dict[str, list[Any]]:
    """Nash averaging and alpha-rank, where every pair has played; else None for everybody, and a note."""
    names = ("nash_share", "nash_rating", "nash_rating_interval", "alpha_rank")
    if not paid.complete:
        notes.append("Nash averaging and alpha-rank need games of every pair: leave out --swiss for them")
        return {name: [None] * len(found.names) for name in names}
    average = nash_average(antisymmetric(paid.mean))
    weights = found.weights(np.random.default_rng((seed, 3)), META_SAMPLES)
    drawn = [
        matrix for matrix in payoff_samples(found, weights) if not np.isnan(matrix + np.eye(len(matrix)) * 0).all()
    ]
    low, high = ends(np.array([_rating(matrix, average.rating) for matrix in drawn]))
    values = (average.shares.tolist(), average.rating.tolist(), _pairs(low, high), alpha_rank(paid.mean).tolist())
    return dict(zip(names, values, strict=True))


def _rating(matrix: Array, unknown: Array) -> Array:
    """The Nash ratings of one draw of deals; NaN where it left a pair without games."""
    try:
        return nash_average(antisymmetric(matrix)).rating
    except ValueError:
        return np.full_like(unknown, math.nan)


def pair_rows(found: Record, paid: Payoffs) -> list[dict[str, Any]]:
    """One row per pair that played."""
    wins, draws, games = found.wins.sum(0), found.draws.sum(0), paid.games
    return [
        {
            "first": found.names[row],
            "second": found.names[column],
            "games": int(games[row, column]),
            "wins": int(wins[row, column]),
            "draws": int(draws[row, column]),
            "losses": int(wins[column, row]),
            "mean_return": float(paid.mean[row, column]),
            "mean_return_interval": [float(paid.low[row, column]), float(paid.high[row, column])],
            "second_mean_return": float(paid.mean[column, row]),
        }
        for row, column in itertools.combinations(range(len(found.names)), 2)
        if games[row, column]
    ]


def matrix(paid: Payoffs, names: Sequence[str]) -> dict[str, Any]:
    """The payoffs row by row; None on the diagonal and for pairs without games."""
    layers = {"mean": paid.mean, "low": paid.low, "high": paid.high}
    return {"names": list(names)} | {name: [_plain(row) for row in layer] for name, layer in layers.items()}


def beaten_in_circles(paid: Payoffs, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Up to `MOST_CYCLES` circles of three in which each beats the next by more than chance: its interval is above the
    middle between the two mean payoffs of the pair."""
    middle = (paid.mean + paid.mean.T) / 2
    with np.errstate(invalid="ignore"):
        beats = paid.low > middle
    found = (
        circle
        for a, b, c in itertools.combinations(range(len(names)), 3)
        for circle in ((a, b, c), (a, c, b))
        if all(beats[one, other] for one, other in zip(circle, circle[1:] + circle[:1], strict=True))
    )
    return [tuple(names[index] for index in circle) for circle in itertools.islice(found, MOST_CYCLES)]  # type: ignore[misc]


def _plain(values: Array) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


def _pairs(low: Array, high: Array) -> list[list[float]]:
    return [[float(one), float(other)] for one, other in zip(low, high, strict=True)]


def with_columns(result: dict[str, Any], columns: Mapping[str, Mapping[str, Any]]) -> None:
    """Add further figures to the rows of the players: name of the figure -> player -> value; None for the others."""
    for name, values in columns.items():
        for row in result["players"]:
            row[name] = values.get(row["name"])
