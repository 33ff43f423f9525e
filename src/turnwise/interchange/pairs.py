"""Pairs of a better and a worse reply to the very same prompt, for direct preference optimisation (DPO).

Two episodes of one deal (or group), or two forks of one state, are the same up to a turn; what they say there leads to
different returns. A pair is made at each such turn: never between prompts that differ in a single character.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from turnwise.interchange.chat import conversation, seats_of
from turnwise.records import Episode

Spoken = dict[str, list[tuple[float, Episode]]]
"""Reply -> (return of the seat, episode) of those that said it."""


def dpo_rows(
    episodes: Sequence[Episode], agent: str | None = None, *, least_margin: float = 0.0
) -> Iterator[dict[str, Any]]:
    """A row per turn at which replies to one prompt led to different mean returns: the best reply and the worst.

    `prompt`, `chosen` and `rejected` are chat messages, as trl's trainers read them. least_margin: between the mean
    returns, in task units; a pair needs more. Replies that were no legal move may be rejected, never chosen.
    """
    for family in families(episodes):
        for (seat, prompt), spoken in _turns(family, agent).items():
            row = _pair(seat, prompt, spoken, least_margin)
            if row is not None:
                yield row


def families(episodes: Iterable[Episode]) -> list[list[Episode]]:
    """Episodes that began alike: of one group, or of one deal, and with their forks."""
    episodes = list(episodes)
    known = {episode.id: episode for episode in episodes}
    found: dict[tuple[Any, ...], list[Episode]] = {}
    for episode in episodes:
        root = episode
        while root.parent is not None and root.parent in known:
            root = known[root.parent]
        found.setdefault(_origin(root), []).append(episode)
    return list(found.values())


def _origin(episode: Episode) -> tuple[Any, ...]:
    game = (episode.env_id, json.dumps(dict(episode.env_kwargs), sort_keys=True))
    if episode.group is not None:
        return (*game, "group", episode.group)
    if episode.parent is not None:
        return (*game, "fork", episode.parent)
    if episode.seed is not None:
        return (*game, "deal", episode.seed, episode.task, episode.level)
    return (*game, "alone", episode.id)


def _turns(family: Sequence[Episode], agent: str | None) -> dict[tuple[str, str], Spoken]:
    """(seat, its conversation before the turn as JSON) -> what was said there."""
    found: dict[tuple[str, str], Spoken] = {}
    for episode in family:
        for seat in seats_of(episode, agent):
            mine = [turn for turn in episode.turns if turn.seat == seat]
            for place, turn in enumerate(mine):
                prompt = json.dumps(conversation(episode, seat, place))
                said = found.setdefault((seat, prompt), {}).setdefault(turn.text, [])
                said.append((episode.returns[seat], episode))
    return found


def _pair(seat: str, prompt: str, spoken: Spoken, least_margin: float) -> dict[str, Any] | None:
    means = {text: sum(value for value, _ in told) / len(told) for text, told in spoken.items()}
    legal = [text for text in means if _was_legal(seat, text, spoken[text])]
    if not legal:
        return None
    best, worst = max(legal, key=means.__getitem__), min(means, key=means.__getitem__)
    if means[best] - means[worst] <= least_margin:
        return None
    chosen, rejected = spoken[best][0][1], spoken[worst][0][1]
    return {
        "prompt": json.loads(prompt),
        "chosen": [{"role": "assistant", "content": best}],
        "rejected": [{"role": "assistant", "content": worst}],
        "chosen_return": means[best],
        "rejected_return": means[worst],
        "kind": "fork" if _forked(chosen, rejected) else "deal",
        "env_id": chosen.env_id,
        "seat": seat,
        "chosen_episode": chosen.id,
        "rejected_episode": rejected.id,
    }


def _forked(one: Episode, other: Episode) -> bool:
    """Whether one was forked from the other, or both from the same."""
    siblings = one.parent is not None and one.parent == other.parent
    return siblings or one.parent == other.id or other.parent == one.id


def _was_legal(seat: str, text: str, told: Sequence[tuple[float, Episode]]) -> bool:
    return any(turn.seat == seat and turn.text == text and turn.status == "ok" for turn in told[0][1].turns)
