"""What a batch of episodes says about the policy."""

from __future__ import annotations

from collections.abc import Sequence

from turnwise.records import Episode

INVALID = ("unparsable", "illegal", "truncated")


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
