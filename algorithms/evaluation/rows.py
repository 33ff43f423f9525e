"""One row of figures per played game, from the point of view of the agent that is put to the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from turnwise.algorithms.credit.episodes import is_finished
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One episode. Counts are of the agent's own turns."""

    problem: str
    """Episodes of one problem had the same chance: those of a deal with seats swapped, further tries at a puzzle."""
    seat: str
    gained: float
    """The agent's return, in task units."""
    lost: float | None
    """The mean return of the other seats; None where there are none."""
    finished: bool
    """False where the environment or an agent failed: the returns count for nothing then."""
    status: str
    level: str | None
    turns: int
    tokens: int | None
    """Sampled by the agent; None where no tokens are known."""
    tool_calls: int
    unparsable: int
    illegal: int
    truncated: int

    @property
    def invalid(self) -> int:
        """Turns that were not played as written."""
        return self.unparsable + self.illegal + self.truncated

    def to_dict(self) -> dict[str, Any]:
        """Name -> value, fit for JSON."""
        return asdict(self)


def row_of(episode: Episode, hero: str, problem: str) -> Row:
    """The row of an episode in which the agent sat in the seat `hero`."""
    mine = [turn for turn in episode.turns if turn.seat == hero]
    others = [value for seat, value in episode.returns.items() if seat != hero]
    statuses = [turn.status for turn in mine]
    known = any(turn.completion_ids for turn in mine)
    return Row(
        problem=problem,
        seat=hero,
        gained=episode.returns[hero],
        lost=sum(others) / len(others) if others else None,
        finished=is_finished(episode),
        status=episode.status,
        level=episode.level,
        turns=len(mine),
        tokens=sum(len(turn.completion_ids) for turn in mine) if known else None,
        tool_calls=sum(len(turn.tool_calls) for turn in mine),
        unparsable=statuses.count("unparsable"),
        illegal=statuses.count("illegal"),
        truncated=statuses.count("truncated"),
    )


def row_from_dict(raw: Mapping[str, Any]) -> Row:
    """The row that `to_dict` wrote down. Raises TypeError on a missing or unknown field."""
    return Row(**raw)
