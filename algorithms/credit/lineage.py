"""Who was forked from whom: the stretches of a batch's episodes that several of them share, each told once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

from turnwise.algorithms.credit.episodes import Advantage, TurnCredit, is_finished, is_trained
from turnwise.algorithms.credit.groups import Floats
from turnwise.records import Episode

Spot: TypeAlias = tuple[int, int]
"""(turn, completion token of it): what comes before is the parent's, what comes from there on is the fork's own."""

FORK_TOKEN = "fork_token"
"""Entry of `Episode.metadata`: tokens at the start of turn `fork_turn` that are the parent's too; without it, 0."""

START: Spot = (0, 0)


class Segment(NamedTuple):
    """A stretch of one episode between two forks."""

    owner: int
    """Index in the batch of the episode that sampled it."""
    start: Spot
    end: Spot
    """Exclusive."""


def segment_paths(episodes: Sequence[Episode]) -> list[list[Segment]]:
    """The segments of every episode from its start to its end; those it shares with others are equal to theirs.

    A fork tells its parent in `parent`, and in `fork_turn` (and metadata `fork_token`) where it left it; it carries
    copies of all turns before. Empty stretches are left out.

    Raises: ValueError if a parent is missing or named twice, or a fork leaves it where there is nothing.
    """
    parents = _parents(episodes)
    spots = [_spot(episode) for episode in episodes]
    for episode, above, spot in zip(episodes, parents, spots, strict=True):
        if above is not None:
            _require_inside(spot, episodes[above], episode)
    lines = [_line(place, parents, spots) for place in range(len(episodes))]
    cuts: dict[int, set[Spot]] = {}
    for line in lines:
        for above, place in pairwise(line):
            cuts.setdefault(above, set()).add(spots[place])
    return [_path(line, episodes, spots, cuts) for line in lines]


def trainers(episodes: Sequence[Episode], paths: Sequence[Sequence[Segment]]) -> dict[Segment, int]:
    """Which episode trains each segment: its owner, or, where that crashed, the first finished one that shares it."""
    found: dict[Segment, int] = {}
    for place, path in enumerate(paths):
        for segment in path if is_finished(episodes[place]) else ():
            if segment.owner == place or segment not in found:
                found[segment] = place
    return found


def told_once(
    episodes: Sequence[Episode], values: Iterable[tuple[int, Segment, Mapping[str, float]]], learner: str
) -> TurnCredit:
    """The table in which segment by segment one episode is trained.

    Args:
        values: (index of the episode that is trained, segment, {seat: advantage on all of the segment}).
    Returns: A float where all of a turn has one value, a tuple per token where it has several (NaN on tokens that are
        trained elsewhere, see `tokens.settled`), None where nothing of it is trained.
    """
    rows: dict[tuple[int, int], Floats] = {}
    for place, segment, of_seat in values:
        episode = episodes[place]
        for index, start, end in _pieces(episode, segment):
            turn = episode.turns[index]
            if turn.seat in of_seat and is_trained(episode, turn, learner):
                row = rows.setdefault((place, index), np.full(len(turn.completion_ids), np.nan))
                row[start:end] = of_seat[turn.seat]
    return [
        [_entry(rows.get((place, index))) for index in range(len(episode.turns))]
        for place, episode in enumerate(episodes)
    ]


def _entry(row: Floats | None) -> Advantage:
    if row is None or np.isnan(row).all():
        return None
    if (row == row[0]).all():
        return float(row[0])
    return tuple(row.tolist())


def _pieces(episode: Episode, segment: Segment) -> Iterator[tuple[int, int, int]]:
    """(turn, first token, token after the last) of each turn that the segment touches."""
    (first, start), (last, end) = segment.start, segment.end
    for index in range(first, min(last + 1, len(episode.turns))):
        until = end if index == last else len(episode.turns[index].completion_ids)
        yield index, start if index == first else 0, until


def _spot(episode: Episode) -> Spot:
    if episode.fork_turn is None:
        return START
    spot = (episode.fork_turn, int(episode.metadata.get(FORK_TOKEN, 0)))
    _require_inside(spot, episode, episode)
    return spot


def _require_inside(spot: Spot, episode: Episode, fork: Episode) -> None:
    turn, token = spot
    tokens = len(episode.turns[turn].completion_ids) if 0 <= turn < len(episode.turns) else 0
    if not 0 <= turn <= len(episode.turns) or not 0 <= token <= tokens:
        raise ValueError(
            f"a fork and its parent share the turns up to where it left: {fork.id!r} says turn {turn}, token {token}, "
            f"and episode {episode.id!r} has {len(episode.turns)} turns and {tokens} tokens there"
        )


def _parents(episodes: Sequence[Episode]) -> list[int | None]:
    """Index of each episode's parent; None where it has none."""
    if all(episode.parent is None for episode in episodes):
        return [None] * len(episodes)
    places: dict[str, list[int]] = {}
    for place, episode in enumerate(episodes):
        places.setdefault(episode.id, []).append(place)
    return [_parent(episode, places) for episode in episodes]


def _parent(episode: Episode, places: Mapping[str, Sequence[int]]) -> int | None:
    if episode.parent is None:
        return None
    found = places.get(episode.parent, ())
    if len(found) != 1:
        raise ValueError(
            f"a fork and its parent come in one batch, the parent once: got {len(found)} episodes {episode.parent!r}, "
            f"which {episode.id!r} was forked from"
        )
    return found[0]


def _line(place: int, parents: Sequence[int | None], spots: Sequence[Spot]) -> list[int]:
    """Indices from the first ancestor that shares anything with the episode down to itself."""
    line = [place]
    above, seen = parents[place], {place}
    while above is not None and spots[line[0]] > START:
        if above in seen:
            raise ValueError(f"no episode is forked from itself: got a circle of parents through index {above}")
        seen.add(above)
        if spots[above] < spots[line[0]]:  # else it left before its parent sampled anything of its own
            line.insert(0, above)
        above = parents[above]
    return line


def _path(
    line: Sequence[int], episodes: Sequence[Episode], spots: Sequence[Spot], cuts: Mapping[int, set[Spot]]
) -> list[Segment]:
    ends = [spots[place] for place in line[1:]] + [(len(episodes[line[-1]].turns), 0)]
    path = []
    for owner, end in zip(line, ends, strict=True):
        start = spots[owner]
        inner = sorted(spot for spot in cuts.get(owner, ()) if start < spot < end)
        bounds = [start, *inner, end]
        path += [Segment(owner, left, right) for left, right in pairwise(bounds) if left < right]
    return path
