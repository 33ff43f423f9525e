"""What a batch of episodes says about the policy."""

from __future__ import annotations

from collections.abc import Sequence

from turnwise.algorithms.games import Arm, arm_of, of_game
from turnwise.records import Episode

INVALID = ("unparsable", "illegal", "truncated")


def step_metrics(episodes: Sequence[Episode], learner: str, arms: Sequence[Arm]) -> dict[str, float]:
    """`episode_metrics` of all episodes; of several arms, returns and wins stand under each arm's name, and all else
    there too."""
    figures = episode_metrics(episodes, learner) | even_groups(episodes, learner)
    if len(arms) == 1:
        return figures
    found = {name: value for name, value in figures.items() if "/" not in name}
    played = [(arm_of(episode, arms).name, episode) for episode in episodes]
    for arm in arms:
        mine = [episode for name, episode in played if name == arm.name]
        if mine:
            found |= of_game(episode_metrics(mine, learner), arm.name)
    return found


def even_groups(episodes: Sequence[Episode], learner: str) -> dict[str, float]:
    """`even_groups`: the share of groups of several episodes in which no seat of the learner got different returns; {}
    where there are no such groups."""
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        if episode.group is not None:
            groups.setdefault(episode.group, []).append(episode)
    several = [group for group in groups.values() if len(group) > 1]
    return {"even_groups": sum(_is_even(group, learner) for group in several) / len(several)} if several else {}


def _is_even(group: Sequence[Episode], learner: str) -> bool:
    returns: dict[str, set[float]] = {}
    for episode in group:
        for seat, agent in episode.seats.items():
            if agent == learner:
                returns.setdefault(seat, set()).add(episode.returns[seat])
    return all(len(values) == 1 for values in returns.values())


def episode_metrics(episodes: Sequence[Episode], learner: str) -> dict[str, float]:
    """Mean return and share of wins per seat of the learner; its invalid replies and tokens per turn."""
    returns: dict[str, list[float]] = {}
    counts = dict.fromkeys(INVALID, 0)
    turns = tokens = 0
    for episode in episodes:
        for seat, agent in episode.seats.items():
            if agent == learner:
                returns.setdefault(seat, []).append(episode.returns[seat])
        for turn in episode.turns:
            if episode.seats[turn.seat] == learner:
                turns += 1
                tokens += len(turn.completion_ids)
                if turn.status != "ok":
                    counts[turn.status] += 1
    of = max(turns, 1)
    return {
        **{f"return/{seat}": sum(values) / len(values) for seat, values in sorted(returns.items())},
        **{f"win_rate/{seat}": sum(v > 0 for v in values) / len(values) for seat, values in sorted(returns.items())},
        "invalid_rate": sum(counts.values()) / of,
        **{f"{status}_rate": count / of for status, count in counts.items()},
        "episode_truncated_rate": sum(episode.status == "truncated" for episode in episodes) / max(len(episodes), 1),
        "reply_tokens": tokens / of,
    }
