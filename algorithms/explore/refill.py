"""Dynamic sampling: groups whose returns are all equal teach nothing, so others are played in their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.credit.episodes import is_trained, learner_seats
from turnwise.algorithms.credit.groups import keep_mixed_groups
from turnwise.records import Episode

Planned = TypeVar("Planned")


def refill(
    collect: Callable[[Sequence[Planned]], Sequence[Episode]],
    fresh: Callable[[int], Sequence[Planned]],
    wanted_groups: int,
    rounds: int,
    learner: str = "policy",
    *,
    keep_last: bool = True,
) -> tuple[list[Episode], dict[str, float]]:
    """Play round after round until enough groups have returns that differ, or the rounds are used up.

    Args:
        collect: Plays plans.
        fresh: Plans of round 0, 1, ..., in whole groups that no round before has had. No plans: there are no more.
        wanted_groups: Groups of a full batch, >= 1; those that are too many are left out, the latest first.
        rounds: Most rounds, >= 1.
        learner: Name of the agent whose seats' returns are compared, each seat with itself in other episodes.
        keep_last: Fill a batch that is not full after the last round with groups that were dropped, in order; False
            gives a smaller batch.
    Returns: The episodes, group by group; and `rounds` played, `dropped_share` of all groups played, `groups` given
        back, and `extra_tokens` of the learner in episodes that are not.
    Raises: ValueError on a number outside its range, an episode without a group, or a group that comes back.
    Source: Yu et al. 2025 (DAPO), arXiv:2503.14476, section 3.2.
    """
    require_between("wanted_groups", wanted_groups, 1)
    require_between("rounds", rounds, 1)
    kept: list[list[Episode]] = []
    dropped: list[list[Episode]] = []
    used = 0
    while used < rounds and len(kept) < wanted_groups and (plans := fresh(used)):
        groups = _by_group(collect(plans), known=kept + dropped)
        for group in groups:
            (kept if is_mixed(group, learner) else dropped).append(group)
        used += 1
    chosen = (kept + dropped if keep_last else kept)[:wanted_groups]
    played = [episode for group in kept + dropped for episode in group]
    given = [episode for group in chosen for episode in group]
    return given, {
        "rounds": float(used),
        "dropped_share": len(dropped) / max(len(kept) + len(dropped), 1),
        "groups": float(len(chosen)),
        "extra_tokens": float(_tokens(played, learner) - _tokens(given, learner)),
    }


def is_mixed(group: Sequence[Episode], learner: str) -> bool:
    """Whether the returns of any seat of the learner differ within the group. Crashed episodes do not count."""
    returns: dict[str, list[float]] = {}
    for episode in group:
        for seat in learner_seats(episode, learner):
            returns.setdefault(seat, []).append(episode.returns[seat])
    return any(keep_mixed_groups(list(returns.values())))


def _by_group(episodes: Sequence[Episode], known: Sequence[Sequence[Episode]]) -> list[list[Episode]]:
    before = {group[0].group for group in known}
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        if episode.group is None or episode.group in before:
            trouble = "has no group" if episode.group is None else f"is of group {episode.group!r}, which was played"
            raise ValueError(
                f"dynamic sampling plays whole groups, each in one round: episode {episode.id!r} {trouble}; give the "
                "plans of every round groups of their own"
            )
        groups.setdefault(episode.group, []).append(episode)
    return list(groups.values())


def _tokens(episodes: Sequence[Episode], learner: str) -> int:
    return sum(
        len(turn.completion_ids) for episode in episodes for turn in episode.turns if is_trained(episode, turn, learner)
    )
