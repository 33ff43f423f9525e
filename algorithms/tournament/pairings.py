"""Who plays whom: everybody against everybody, or rounds of players that stand alike (Swiss)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

Pair = tuple[str, str]


def round_robin(names: Sequence[str]) -> list[Pair]:
    """Every pair once, in the order of the names."""
    return list(itertools.combinations(names, 2))


def swiss_round(scores: Mapping[str, float], played: frozenset[frozenset[str]], rested: frozenset[str]) -> list[Pair]:
    """The pairs of the next round: neighbours in the standings who have not met, the best ones first.

    scores: points so far, in the order that breaks ties. rested: who has had a free round. With an odd number, the last
    in the standings who has had none is left out of the pairs. Who could only meet again does not play.
    """
    standing = sorted(scores, key=lambda name: -scores[name])
    if len(standing) % 2:
        free = next((name for name in reversed(standing) if name not in rested), standing[-1])
        standing.remove(free)
    return _pair_up(standing, played, [1_000]) or _greedy(standing, played)


def _pair_up(standing: list[str], played: frozenset[frozenset[str]], tries: list[int]) -> list[Pair] | None:
    """Pairs of all of them, the nearest first; None where there are none, or the search takes too long."""
    if not standing:
        return []
    first, *others = standing
    for other in others:
        if frozenset((first, other)) in played:
            continue
        tries[0] -= 1
        if tries[0] < 0:
            return None
        rest = _pair_up([name for name in others if name != other], played, tries)
        if rest is not None:
            return [(first, other), *rest]
    return None


def _greedy(standing: list[str], played: frozenset[frozenset[str]]) -> list[Pair]:
    """Pairs from the top, as many as there are."""
    left, pairs = list(standing), []
    while left:
        first = left.pop(0)
        other = next((name for name in left if frozenset((first, name)) not in played), None)
        if other is not None:
            left.remove(other)
            pairs.append((first, other))
    return pairs
