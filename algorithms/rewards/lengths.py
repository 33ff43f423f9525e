"""How long a seat's replies are, in tokens."""

from __future__ import annotations

from turnwise.algorithms.rewards.amounts import own_turns
from turnwise.records import Episode

MEASURES = ("longest", "episode")
"""The longest reply of the seat, or all of its replies together."""


def measured_length(episode: Episode, seat: str, measure: str) -> tuple[int, int | None]:
    """Tokens that the seat wrote, and the index of the turn that answers for them; 0 and None without a turn.

    `longest`: tokens of the longest reply, at the first such turn. `episode`: of all replies, at the last turn.
    """
    tokens = {index: len(episode.turns[index].completion_ids) for index in own_turns(episode, seat)}
    if not tokens:
        return 0, None
    if measure == "episode":
        return sum(tokens.values()), max(tokens)
    place = max(tokens, key=lambda index: tokens[index])
    return tokens[place], place
