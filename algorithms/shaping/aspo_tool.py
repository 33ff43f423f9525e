"""ASPO for tools: among right answers that called a tool, those that called it earlier get a little more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.credit.episodes import Advantage, TurnCredit
from turnwise.algorithms.credit.groups import Floats, SeatRow, group_ids, members, seat_rows
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class ASPOToolSettings:
    """Settings of advantage shaping for early tool calls."""

    delta: float = -2.0
    """Advantage per mean reply length that the first call comes later, below 0."""
    k: float = 0.9
    """Largest change as a share of the advantage, in (0, 1): a right answer keeps its sign."""
    correct: float = 1.0
    """Least return of a right answer, in task units."""

    def __post_init__(self) -> None:
        require_between("delta", self.delta)
        require_between("k", self.k, 0.0, open_low=True)
        require_between("correct", self.correct)
        if self.delta >= 0.0 or self.k >= 1.0:
            raise ValueError(f"delta is below 0 and k below 1: got {self.delta} and {self.k}")


class FirstCall(NamedTuple):
    """Where the first tool call of a trajectory stands."""

    position: float
    """Tokens written up to the end of it."""
    length: float
    """Tokens of the whole trajectory."""


def nudges(calls: Sequence[FirstCall | None], delta: float) -> Floats:
    """delta (p - mean p) / mean L of every trajectory of one group, before it is clipped.

    Args:
        calls: [n] of the trajectories that are right and called a tool, over which the means go; None for the others.
    Returns: [n] float64; 0 for the others, and where the eligible ones have no tokens.
    Source: arXiv:2508.19201 (ASPO), eq. 2.
    """
    eligible = [index for index, call in enumerate(calls) if call is not None]
    result = np.zeros(len(calls))
    positions = np.array([call.position for call in calls if call is not None])
    length = float(np.mean([call.length for call in calls if call is not None])) if eligible else 0.0
    if length > 0.0:
        result[eligible] = delta * (positions - positions.mean()) / length
    return result


def nudged(advantage: float, nudge: float, k: float) -> float:
    """The advantage plus the nudge, clipped to k times the size of the advantage. An advantage of 0 stays 0."""
    most = k * abs(advantage)
    return advantage + min(max(nudge, -most), most)


def shape(
    episodes: Sequence[Episode], advantages: TurnCredit, settings: ASPOToolSettings, learner: str = "policy"
) -> tuple[TurnCredit, dict[str, float]]:
    """Nudge every number of the eligible trajectories; it comes after a credit method that compares groups.

    In a group where all are right, group-relative advantages are 0, and nothing happens.
    Returns: the new table, and the share of trajectories that were eligible.
    Raises: ValueError if a finished episode of the learning agent has no group.
    """
    rows = seat_rows(episodes, learner)
    calls = [_first_call(episodes[row.place], row, settings.correct) for row in rows]
    nudge = _by_group(rows, calls, settings.delta)
    table = [list(row) for row in advantages]
    for row, amount in zip(rows, nudge.tolist(), strict=True):
        for index, turn in enumerate(episodes[row.place].turns):
            if amount and turn.seat == row.seat:
                table[row.place][index] = _nudged(table[row.place][index], amount, settings.k)
    share = sum(call is not None for call in calls) / len(calls) if calls else 0.0
    return table, {"eligible": share}


def _by_group(rows: Sequence[SeatRow], calls: Sequence[FirstCall | None], delta: float) -> Floats:
    result = np.zeros(len(rows))
    for places in members(group_ids([row.group for row in rows], len(rows))):
        result[places] = nudges([calls[index] for index in places], delta)
    return result


def _first_call(episode: Episode, row: SeatRow, correct: float) -> FirstCall | None:
    if episode.returns[row.seat] < correct:
        return None
    turns = [turn for turn in episode.turns if turn.seat == row.seat]
    written = np.cumsum([len(turn.completion_ids) for turn in turns])
    calling = [index for index, turn in enumerate(turns) if turn.tool_calls]
    return FirstCall(float(written[calling[0]]), float(written[-1])) if calling else None


def _nudged(entry: Advantage, nudge: float, k: float) -> Advantage:
    if not isinstance(entry, tuple):
        return None if entry is None else nudged(entry, nudge, k)
    values = np.array(entry)
    most = k * np.abs(values)
    return tuple((values + np.clip(nudge, -most, most)).tolist())
