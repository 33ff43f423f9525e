"""Whitening: advantages of mean 0 and spread 1 over everything that is trained in a batch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, islice

import numpy as np

from turnwise.algorithms.credit.episodes import Advantage, TurnCredit
from turnwise.algorithms.credit.groups import Floats
from turnwise.records import Episode

EPS = 1e-8
"""Added to the variance, in squared units of the values."""


def whiten(values: Floats, counts: Floats | None = None) -> Floats:
    """(x - mean) / sqrt(sample variance + 1e-8).

    Args:
        values: [N] float64, in any unit.
        counts: [N] how often each entry counts in mean and variance, >= 0; None for once. An entry that counts 0
            times is still shifted and scaled.
    Returns: [N] float64 without unit. Equal values give exactly 0. Where fewer than two entries count, the mean is
        subtracted and nothing divides.
    """
    times = np.ones_like(values) if counts is None else np.asarray(counts, dtype=np.float64)
    total = float(times.sum())
    if total <= 0.0:
        return values.copy()
    above = values - values[times > 0.0].min()  # so that equal values leave exactly 0, whatever their size
    difference: Floats = above - float(times @ above) / total
    if total < 2.0:
        return difference
    variance = float(times @ difference**2) / (total - 1.0)
    return difference / math.sqrt(variance + EPS)


def whiten_credit(table: TurnCredit, episodes: Sequence[Episode] | None = None) -> TurnCredit:
    """The table whitened over everything that is trained in it.

    Args:
        episodes: Those of the table: a turn's one number then counts once per completion token. None: it counts
            once. A number per token counts once in either case.
    """
    return refilled(table, whiten(flat(table), None if episodes is None else _token_counts(table, episodes)))


def flat(table: TurnCredit) -> Floats:
    """[N] every number of the table, in order; turns that are not trained have none."""
    return np.array(list(chain.from_iterable(_numbers(entry) for row in table for entry in row)), dtype=np.float64)


def refilled(table: TurnCredit, values: Floats) -> TurnCredit:
    """A table of the same layout with other numbers, in the order of `flat`."""
    queue = iter(values.tolist())
    return [[_like(entry, queue) for entry in row] for row in table]


def _numbers(entry: Advantage) -> tuple[float, ...]:
    return () if entry is None else entry if isinstance(entry, tuple) else (entry,)


def _like(entry: Advantage, queue: Iterator[float]) -> Advantage:
    return tuple(islice(queue, len(entry))) if isinstance(entry, tuple) else None if entry is None else next(queue)


def _token_counts(table: TurnCredit, episodes: Sequence[Episode]) -> Floats:
    counts: list[int] = []
    for row, episode in zip(table, episodes, strict=True):
        for entry, turn in zip(row, episode.turns, strict=True):
            counts += (
                [1] * len(entry) if isinstance(entry, tuple) else [] if entry is None else [len(turn.completion_ids)]
            )
    return np.array(counts, dtype=np.float64)
