"""Statistics over groups of rewards: centring, spread, groups of one, and who belongs to which group."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from turnwise.algorithms.credit.episodes import TurnCredit, learner_seats, spread_over_turns
from turnwise.records import Episode

Floats: TypeAlias = npt.NDArray[np.float64]
Ids: TypeAlias = npt.NDArray[np.intp]

SINGLETONS = ("zero", "raw", "error")
"""What a group of one gets: 0, its raw reward, or a ValueError."""


def finite_rewards(rewards: Sequence[float]) -> Floats:
    """[N] float64. Raises ValueError unless `rewards` is one flat row of finite numbers."""
    values = np.asarray(rewards, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"rewards are one flat row of finite numbers: got {values.tolist()}")
    return values


def group_ids(group: Iterable[Hashable], size: int) -> Ids:
    """[N] numbers 0..G-1, equal where the group names are equal. Raises ValueError unless there are `size` names."""
    number: dict[Hashable, int] = {}
    ids = np.array([number.setdefault(name, len(number)) for name in group], dtype=np.intp)
    if len(ids) != size:
        raise ValueError(f"each reward needs the name of its group: got {len(ids)} names for {size} rewards")
    return ids


def centred(values: Floats, ids: Ids) -> Floats:
    """[N] values less the mean of their group; exactly 0 in a group whose values are all equal."""
    lowest = np.full(ids.max(initial=-1) + 1, np.inf)
    np.minimum.at(lowest, ids, values)
    above = values - lowest[ids]
    return above - (np.bincount(ids, above) / np.bincount(ids))[ids]


def spread(values: Floats, ids: Ids, ddof: int) -> Floats:
    """[N] standard deviation of each value's group with `ddof` degrees of freedom less; 0 in a group of one."""
    squares = np.bincount(ids, centred(values, ids) ** 2)
    return np.sqrt(squares / np.maximum(np.bincount(ids) - ddof, 1))[ids]


def ratio_or_zero(numerator: Floats, divisor: Floats) -> Floats:
    """numerator / divisor, and 0 where the divisor is 0: no spread, nothing to learn."""
    return np.divide(numerator, divisor, out=np.zeros_like(numerator), where=divisor > 0.0)


def alone(ids: Ids) -> npt.NDArray[np.bool_]:
    """[N] True where a value is the only one of its group."""
    return np.equal(np.bincount(ids)[ids], 1)


def for_groups_of_one(advantages: Floats, raw: Floats, ids: Ids, singleton: str) -> Floats:
    """`advantages` with the entries of groups of one replaced: by 0 (with a warning), by `raw`, or a ValueError."""
    single = alone(ids)
    if not single.any() or singleton == "raw":
        return np.where(single, raw, advantages)
    if singleton == "error":
        raise ValueError(
            f"a group needs two rewards or more: got {single.sum()} groups of one; "
            "sample more episodes per group, or choose singleton=zero or raw"
        )
    warnings.warn(f"{single.sum()} of {len(np.bincount(ids))} groups have one reward: advantage 0", stacklevel=3)
    return np.where(single, 0.0, advantages)


def members(ids: Ids) -> list[list[int]]:
    """Indices of the entries of each group, in the order of the groups' numbers."""
    places: list[list[int]] = [[] for _ in range(ids.max(initial=-1) + 1)]
    for index, number in enumerate(ids.tolist()):
        places[number].append(index)
    return places


def keep_mixed_groups(groups: Sequence[Sequence[float]]) -> list[bool]:
    """Whether each group's rewards differ at all: only those teach anything (dynamic sampling).

    Source: Yu et al. 2025 (DAPO), arXiv:2503.14476, section 3.2.
    """
    return [len(set(group)) > 1 for group in groups]


class SeatRow(NamedTuple):
    """One seat of the learning agent in one finished episode: what the methods of groups compare."""

    place: int
    """Index of the episode in the batch."""
    seat: str
    group: tuple[str, str]
    """(episode.group, seat): seats are never compared with each other."""


def seat_rows(episodes: Sequence[Episode], learner: str) -> list[SeatRow]:
    """Every seat that the learning agent held in a finished episode, also where it never spoke, in batch order.

    Raises: ValueError if a finished episode of the learning agent has no group.
    """
    return [
        SeatRow(place, seat, (_group(episode), seat))
        for place, episode in enumerate(episodes)
        for seat in learner_seats(episode, learner)
    ]


def spread_rows(
    episodes: Sequence[Episode], rows: Sequence[SeatRow], values: Iterable[float | None], learner: str
) -> TurnCredit:
    """Give every trained turn the value of its seat's row, None where the row is not trained."""
    per_seat: list[dict[str, float | None]] = [{} for _ in episodes]
    for row, value in zip(rows, values, strict=True):
        per_seat[row.place][row.seat] = None if value is None else float(value)
    return spread_over_turns(episodes, per_seat, learner)


def credit_by_group(
    episodes: Sequence[Episode],
    learner: str,
    estimate: Callable[[Sequence[float], Sequence[Hashable]], Floats],
    keep_equal: bool = True,
) -> TurnCredit:
    """Spread `estimate(returns, groups)` over the turns of the learning agent, the same value on all turns of a seat.

    Args:
        keep_equal: False leaves groups whose returns are all equal out of training.
    Raises: ValueError if a finished episode of the learning agent has no group.
    """
    rows = seat_rows(episodes, learner)
    groups = [row.group for row in rows]
    returns = [episodes[row.place].returns[row.seat] for row in rows]
    values: list[float | None] = list(estimate(returns, groups))
    if not keep_equal:
        mixed = _mixed(returns, groups)
        values = [value if group in mixed else None for value, group in zip(values, groups, strict=True)]
    return spread_rows(episodes, rows, values, learner)


def _group(episode: Episode) -> str:
    if episode.group is None:
        raise ValueError(
            f"a group method compares episodes of one group: episode {episode.id!r} has no group; collect several "
            "episodes per task and seed with a common group, or choose a method without groups (rae, return)"
        )
    return episode.group


def _mixed(returns: Sequence[float], groups: Sequence[Hashable]) -> set[Hashable]:
    members: dict[Hashable, list[float]] = {}
    for value, group in zip(returns, groups, strict=True):
        members.setdefault(group, []).append(value)
    return {group for group, keep in zip(members, keep_mixed_groups(list(members.values())), strict=True) if keep}
