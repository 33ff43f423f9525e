"""Whom of a pool of opponents the learner meets: chances and draws, without any model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from turnwise.algorithms.checks import require_between, require_choice

PICKS = ("uniform", "newest", "prioritised")
UNKNOWN = 0.5
"""Share that the learner is taken to lose to an opponent it has not met yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeagueSettings:
    """A pool of earlier selves and scripted agents that the learner plays against, besides itself."""

    every: int = 50
    """Steps between two snapshots of the learner's weights; the first one is of the weights it starts with."""
    keep: int = 8
    """Most snapshots in the pool; the oldest leaves first."""
    self_share: float = 0.5
    """Chance that a group is self-play, in [0, 1]."""
    scripted: tuple[str, ...] = ()
    """Scripted agents that belong to the pool from the start and stay."""
    pick: str = "uniform"
    """Who is drawn otherwise: `uniform`, always the `newest` snapshot, or `prioritised`: who wins more is met more."""
    exponent: float = 2.0
    """prioritised only: the chance grows with this power of the share of games that the learner loses, >= 0."""
    memory: float = 0.95
    """prioritised only: share of what is known of an opponent that a game against it keeps, in [0, 1]."""

    def __post_init__(self) -> None:
        require_choice("pick", self.pick, PICKS)
        require_between("every", self.every, 1)
        require_between("keep", self.keep, 1)
        require_between("self_share", self.self_share, 0.0, 1.0)
        require_between("exponent", self.exponent, 0.0)
        require_between("memory", self.memory, 0.0, 1.0)
        if len(set(self.scripted)) < len(self.scripted):
            raise ValueError(f"scripted names each agent once: got {', '.join(self.scripted)}")
        if self.pick == "newest" and self.scripted:
            raise ValueError(
                f"pick newest draws no scripted agent: leave out {', '.join(self.scripted)}, or set pick to uniform"
            )


def chances(lost: Mapping[str, float], settings: LeagueSettings) -> dict[str, float]:
    """Chance of each opponent to be drawn; they add up to 1.

    Args:
        lost: Share of games that the learner loses to each, in [0, 1], the newest opponent last.
    Raises: ValueError without opponents.
    Source: `prioritised`: Vinyals et al. 2019, doi:10.1038/s41586-019-1724-z, f_hard. Where the learner loses to
        nobody, all are alike.
    """
    if not lost:
        raise ValueError("a league needs an opponent to draw: got none")
    weights = np.ones(len(lost))
    if settings.pick == "newest":
        weights[:-1] = 0.0
    elif settings.pick == "prioritised":
        hard = np.array(list(lost.values()), dtype=np.float64) ** settings.exponent
        weights = hard if hard.any() else weights
    return dict(zip(lost, (weights / weights.sum()).tolist(), strict=True))


def draw_opponents(lost: Mapping[str, float], settings: LeagueSettings, count: int, seed: int) -> list[str | None]:
    """Of each of `count` groups the opponent, or None for self-play; equal seeds draw equal opponents."""
    rng = np.random.default_rng(seed)
    alone = rng.random(count) < settings.self_share
    known = chances(lost, settings)
    picks = rng.choice(len(known), size=count, p=list(known.values())).tolist()
    return [None if by_itself else list(known)[pick] for by_itself, pick in zip(alone.tolist(), picks, strict=True)]


def remember(
    lost: Mapping[str, float], results: Sequence[tuple[str, float]], settings: LeagueSettings
) -> dict[str, float]:
    """What is known of every opponent after these games, in their order.

    Args:
        lost: As in `chances`; an opponent that is not in it has left the pool, and its games do not count.
        results: (opponent, 1 for a game that the learner lost, 0.5 for a draw, 0 for one that it won).
    """
    found = dict(lost)
    for name, result in results:
        if name in found:
            found[name] = settings.memory * found[name] + (1.0 - settings.memory) * result
    return found


def result_of(mine: float, others: Sequence[float]) -> float:
    """1 where the learner's return is below the mean of the others', 0.5 where it equals it, else 0."""
    mean = sum(others) / len(others)
    return 1.0 if mine < mean else 0.5 if mine == mean else 0.0
