"""One episode as the pages read it: every turn, and every token of it with what it was trained with."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from turnwise.envs.core import EnvFailure, Unsupported
from turnwise.envs.registry import UnknownEnv, find_spec
from turnwise.records import Episode, Turn
from turnwise.view.store import Store
from turnwise.view.words import Words, words_of

DRAWN = ("openspiel", "puzzles", "words", "minigrid", "credit", "bandits", "kitchen")
"""Families whose games are played again for their boards: their own code, no file, no network, no other program."""
MOST_TURNS, LONGEST_ARGUMENTS = 1_000, 4_000
"""Of an episode that is played again."""
MOST_NODES = 300
"""Of a tree."""
_OPEN, _CLOSE = "<think>", "</think>"


def transcript(store: Store, key: str) -> dict[str, Any]:
    """{episode, forks, turns, boards}. Raises what `Store.episode` raises."""
    episode = store.episode(key)
    words = words_of(store.source.path)
    return {
        "episode": _facts(episode) | {"parent": store.parent(key, episode.parent)},
        "forks": [
            {"key": name, "id": id, "fork_turn": turn, "returns": returns}
            for name, id, turn, returns in store.forks(key, episode.id)
        ],
        "turns": [_turn(episode, index, words) for index in range(len(episode.turns))],
        "boards": boards_of(episode),
    }


def tree(store: Store, group: str) -> dict[str, Any]:
    """{nodes}: the episodes of a group, who was forked from whom, and what their turns were worth."""
    keys = store.group(group, MOST_NODES)
    episodes = store.episodes(keys)
    names = {episode.id: key for key, episode in episodes.items()}
    return {
        "nodes": [
            {
                "key": key,
                "id": episodes[key].id,
                "parent": names.get(episodes[key].parent or ""),
                "fork_turn": episodes[key].fork_turn,
                "turns": len(episodes[key].turns),
                "returns": dict(episodes[key].returns),
                "advantages": [_advantage(turn) for turn in episodes[key].turns],
            }
            for key in keys
        ]
    }


def boards_of(episode: Episode) -> list[dict[str, Any] | None] | None:
    """The board before every turn and at the end; None where the game has none, or does not follow at all."""
    from turnwise.boards import replay

    if not _may_be_played(episode):
        return None
    try:
        boards = replay(episode)
    except (EnvFailure, Unsupported, ValueError, TypeError, KeyError, ImportError, OSError, RuntimeError):
        return None  # what the file says of its game makes none: the words are shown without pictures
    return list(boards) if any(board is not None for board in boards) else None


def _may_be_played(episode: Episode) -> bool:
    """A file of episodes can name any game with any arguments: only harmless ones are made."""
    try:
        spec = find_spec(episode.env_id)
    except UnknownEnv:
        return False
    ours = spec.family in DRAWN and spec.entry_point.startswith("turnwise.envs.")
    short = len(episode.turns) <= MOST_TURNS and len(json.dumps(dict(episode.env_kwargs))) <= LONGEST_ARGUMENTS
    return ours and short


def _facts(episode: Episode) -> dict[str, Any]:
    metadata = dict(episode.metadata)
    return {
        "id": episode.id,
        "env_id": episode.env_id,
        "seats": dict(episode.seats),
        "returns": dict(episode.returns),
        "status": episode.status,
        "seed": None if episode.seed is None else str(episode.seed),  # a browser's numbers end at 2^53
        "step": metadata.pop("step", None),
        "kind": metadata.pop("kind", None),
        "task": episode.task,
        "level": episode.level,
        "group": episode.group,
        "fork_turn": episode.fork_turn,
        "ground_truth": episode.ground_truth,
        "reward_parts": episode.reward_parts,
        "metadata": metadata,
        "env_kwargs": dict(episode.env_kwargs),
    }


def _turn(episode: Episode, index: int, words: Words | None) -> dict[str, Any]:
    turn = episode.turns[index]
    thinking, reply = split_thought(turn.text)
    return {
        "index": index,
        "seat": turn.seat,
        "agent": episode.seats[turn.seat],
        "observation": _observation(episode, index, words),
        "thinking": thinking,
        "reply": reply,
        "action": turn.action,
        "status": turn.status,
        "reward": turn.reward,
        "tool_calls": [_call(call) for call in turn.tool_calls],
        "tool_results": _results(episode, index),
        "advantage": _advantage(turn),
        "trained": sum(advantage is not None for advantage in turn.advantages or ()),
        "value": turn.value,
        "seconds": turn.seconds,
        "tokens": _tokens(turn, words),
    }


def split_thought(text: str) -> tuple[str | None, str]:
    """(thinking, reply): what stands before the last `</think>`, or after a `<think>` that was never closed."""
    if _CLOSE in text:
        thought, _, reply = text.rpartition(_CLOSE)
        return thought.strip().removeprefix(_OPEN).strip(), reply.strip()
    if text.lstrip().startswith(_OPEN):
        return text.lstrip().removeprefix(_OPEN).strip(), ""
    return None, text


def _observation(episode: Episode, index: int, words: Words | None) -> list[dict[str, str]]:
    """The messages of a turn. Where they were not kept: the text of what its prompt has beyond the seat's last turn."""
    turn = episode.turns[index]
    if turn.observation or words is None or not turn.prompt_ids:
        return [{"role": message.role, "content": message.content} for message in turn.observation]
    earlier = [other for other in episode.turns[:index] if other.seat == turn.seat]
    known = earlier[-1].prompt_ids + earlier[-1].completion_ids if earlier else ()
    start = len(known) if turn.prompt_ids[: len(known)] == known else 0
    return [{"role": "user", "content": words.text(turn.prompt_ids[start:])}]


def _results(episode: Episode, index: int) -> list[str]:
    """What the tools of a turn answered: what its seat read next."""
    turn = episode.turns[index]
    later = (other for other in episode.turns[index + 1 :] if other.seat == turn.seat) if turn.tool_calls else iter(())
    following = next(later, None)
    return [message.content for message in following.observation] if following else []


def _call(text: str) -> dict[str, Any]:
    try:
        call = json.loads(text)
        return {"name": str(call["name"]), "arguments": call["arguments"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {"name": "(unreadable)", "arguments": text}


def _advantage(turn: Turn) -> float | None:
    known = [x for x in turn.advantages or () if x is not None and math.isfinite(x)]
    return statistics.fmean(known) if known else None


def _tokens(turn: Turn, words: Words | None) -> list[dict[str, Any]] | None:
    """None without a tokenizer, without tokens, or where the tokenizer is not the one that wrote them."""
    ids = turn.completion_ids
    if words is None or not ids or max(ids) >= 2**31 or min(ids) < 0:
        return None
    if "".join(words.text(ids).split()) != "".join(turn.text.split()):
        return None
    columns: Iterable[Sequence[Any]] = (
        turn.completion_ids,
        turn.logprobs,
        *(_or_none(column, len(ids)) for column in (turn.train_logprobs, turn.updated_logprobs)),
        *(_or_none(column, len(ids)) for column in (turn.token_entropy, turn.advantages)),
    )
    names = ("id", "logprob", "train_logprob", "updated_logprob", "entropy", "advantage")
    rows: list[Mapping[str, Any]] = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    pieces = words.pieces(ids)
    return [
        {"text": text, **row, "trained": row["advantage"] is not None} for text, row in zip(pieces, rows, strict=True)
    ]


def _or_none(column: Sequence[Any] | None, count: int) -> Sequence[Any]:
    return (None,) * count if column is None else column
