"""Which episodes of a step are kept: pure, and the same whenever the step is played again."""

from __future__ import annotations

from collections.abc import Sequence

from turnwise.records import Episode


def chosen(episodes: Sequence[Episode], most: int) -> list[int]:
    """Indices of at most `most` episodes: whole groups, in their order, as long as they fit.

    Where not even the first group fits, its first episodes.
    """
    groups: dict[str, list[int]] = {}
    for index, episode in enumerate(episodes):
        name = f"episode {episode.id}" if episode.group is None else f"group {episode.group}"
        groups.setdefault(name, []).append(index)
    found: list[int] = []
    for members in groups.values():
        if len(found) + len(members) <= most:
            found += members
    first = next(iter(groups.values()), [])
    return sorted(found) if found else first[:most]


def is_due(step: int, every: int, *, last: bool) -> bool:
    """Whether the episodes of a step, the first one being 1, are kept."""
    return every > 0 and (step == 1 or last or step % every == 0)
