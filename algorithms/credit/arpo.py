"""ARPO's advantages: group-relative over all paths of a question, forks included, in two ways of sharing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.episodes import CreditResult, TurnCredit
from turnwise.algorithms.credit.groups import SINGLETONS, Floats, SeatRow, seat_rows, spread_rows
from turnwise.algorithms.credit.grpo import group_advantages
from turnwise.algorithms.credit.lineage import segment_paths, told_once, trainers
from turnwise.algorithms.credit.tokens import settled
from turnwise.records import Episode

ATTRIBUTIONS = ("soft", "hard")
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class ARPOSettings:
    """Settings of the advantage of forked rollouts."""

    attribution: str = "soft"
    """`soft`: a path's advantage on all of its turns, shared ones are trained once per path. `hard`: a shared turn is
    trained once, with the mean over the paths through it."""
    weight_by_paths: bool = False
    """`hard`: multiply the mean by the number of those paths, so that the sum over the batch is that of `soft`."""
    ddof: int = 1
    """Degrees of freedom taken off in the standard deviation: 1 (sample) or 0 (population)."""
    eps: float = 1e-6
    """Added to the standard deviation, in task units, >= 0."""
    singleton: str = "zero"
    """What a group of one gets: `zero`, its `raw` return over (1 + eps), or an `error`."""

    def __post_init__(self) -> None:
        require_choice("attribution", self.attribution, ATTRIBUTIONS)
        require_choice("singleton", self.singleton, SINGLETONS)
        require_between("eps", self.eps, 0.0)
        if self.ddof not in (0, 1):
            raise ValueError(f"ddof is 0 (population) or 1 (sample): got {self.ddof!r}")
        if self.weight_by_paths and self.attribution != "hard":
            raise ValueError(
                f"weight_by_paths belongs to attribution hard: got {self.attribution!r}, which trains a shared turn "
                "once per path already"
            )


def segment_advantages(
    path_advantages: Sequence[float], paths: Sequence[Sequence[Name]], *, weight_by_paths: bool = False
) -> dict[Name, float]:
    """What each segment of a group's paths is worth: the mean over the paths through it, or their sum.

    Args:
        path_advantages: [N] one per path.
        paths: [N] names of the segments of each path; equal names are shared.
        weight_by_paths: The sum in place of the mean.
    Returns: One number per name, in the order in which they first appear.
    Source: Dong et al. 2025 (ARPO), arXiv:2507.19849, section 3.2 (hard advantage estimation).
    """
    through: dict[Name, list[float]] = {}
    for value, path in zip(path_advantages, paths, strict=True):
        for name in path:
            through.setdefault(name, []).append(value)
    return {name: sum(values) / (1 if weight_by_paths else len(values)) for name, values in through.items()}


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: ARPOSettings, learner: str = "policy"
) -> CreditResult:
    """The group-relative advantage of each path's return; its shared turns as `attribution` says.

    A group is (episode.group, seat); forks belong to their question's group. The state is always {}.

    Raises: ValueError if a finished episode has no group or, with `hard`, a fork's parent is not in the batch.
    """
    rows = seat_rows(episodes, learner)
    values = group_advantages(
        [episodes[row.place].returns[row.seat] for row in rows],
        [row.group for row in rows],
        ddof=settings.ddof,
        eps=settings.eps,
        singleton=settings.singleton,
    )
    if settings.attribution == "soft":
        return CreditResult(spread_rows(episodes, rows, values, learner), {})
    return CreditResult(_hard(episodes, rows, values, settings.weight_by_paths, learner), {})


def _hard(
    episodes: Sequence[Episode], rows: Sequence[SeatRow], values: Floats, weight_by_paths: bool, learner: str
) -> TurnCredit:
    paths = segment_paths(episodes)
    trained_by = trainers(episodes, paths)
    entries = []
    for seat in dict.fromkeys(row.seat for row in rows):
        held = [index for index, row in enumerate(rows) if row.seat == seat]
        worth = segment_advantages(
            [float(values[index]) for index in held],
            [paths[rows[index].place] for index in held],
            weight_by_paths=weight_by_paths,
        )
        entries += [(trained_by[segment], segment, {seat: value}) for segment, value in worth.items()]
    return settled(told_once(episodes, entries, learner))
