"""What a batch of episodes says about the policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from turnwise.algorithms.games import Arm, arm_of, of_game
from turnwise.records import Episode, Turn

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
    sizes = Counter([episode.group for episode in episodes])
    groups: dict[str, list[Episode]] = {name: [] for name, size in sizes.items() if size > 1 and name is not None}
    if not groups:
        return {}
    for episode in episodes:
        if episode.group in groups:
            groups[episode.group].append(episode)
    return {"even_groups": sum(_is_even(group, learner) for group in groups.values()) / len(groups)}


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
    turns: list[Turn] = []
    seats, own, every = None, list[str](), False
    for episode in episodes:
        if episode.seats is not seats:  # those of one plan share theirs
            seats = episode.seats
            own = [seat for seat, agent in seats.items() if agent == learner]
            every = len(own) == len(seats)
        for seat in own:
            returns.setdefault(seat, []).append(episode.returns[seat])
        turns += episode.turns if every else [turn for turn in episode.turns if turn.seat in own]
    statuses = Counter([turn.status for turn in turns])
    counts = {status: statuses[status] for status in INVALID}
    tokens = sum(map(len, [turn.completion_ids for turn in turns]))
    of = max(len(turns), 1)
    return {
        **{f"return/{seat}": sum(values) / len(values) for seat, values in sorted(returns.items())},
        **{
            f"win_rate/{seat}": sum([value > 0 for value in values]) / len(values)
            for seat, values in sorted(returns.items())
        },
        "invalid_rate": sum(counts.values()) / of,
        **{f"{status}_rate": count / of for status, count in counts.items()},
        "episode_truncated_rate": [episode.status for episode in episodes].count("truncated") / max(len(episodes), 1),
        "reply_tokens": tokens / of,
    }
