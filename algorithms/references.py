"""What others did at the same tasks, to be compared with: returns of a frozen policy, tool calls of an expert."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from turnwise.agents.plan import Plan
from turnwise.records import Episode

Play = Callable[[Sequence[Plan]], list[Episode]]

STREAM = 1 << 20
"""Replies of a reference are sampled apart from those of the episodes that it is compared with."""


def with_reference_returns(episodes: Sequence[Episode], play: Play) -> list[Episode]:
    """Each with `metadata["reference_returns"]`: seat -> [return] of one other play of its task from its seed."""
    return _with(episodes, play, lambda other: ("reference_returns", {s: [r] for s, r in other.returns.items()}))


def with_reference_calls(episodes: Sequence[Episode], play: Play) -> list[Episode]:
    """Each with `metadata["reference_calls"]`: the tool calls, in order, of one other play of its task."""

    def calls(other: Episode) -> tuple[str, Any]:
        return "reference_calls", [json.loads(call) for turn in other.turns for call in turn.tool_calls]

    return _with(episodes, play, calls)


def _with(episodes: Sequence[Episode], play: Play, read: Callable[[Episode], tuple[str, Any]]) -> list[Episode]:
    """Every task is played once, however many episodes share it."""
    keys = [_task(episode) for episode in episodes]
    asked = {key: _plan(episode) for key, episode in zip(keys, episodes, strict=True)}
    found = dict(zip(asked, play(list(asked.values())), strict=True))
    changed = []
    for key, episode in zip(keys, episodes, strict=True):
        field, value = read(found[key])
        changed.append(replace(episode, metadata={**episode.metadata, field: value}))
    return changed


def _task(episode: Episode) -> tuple[str, str, int | None, str]:
    return (
        episode.env_id,
        json.dumps(dict(episode.env_kwargs), sort_keys=True, default=str),
        episode.seed,
        json.dumps(dict(episode.seats)),
    )


def _plan(episode: Episode) -> Plan:
    if episode.seed is None:
        raise ValueError(f"a task is played again from its seed: episode {episode.id!r} has none")
    return Plan(
        id=f"{episode.id}-reference",
        env_id=episode.env_id,
        env_kwargs=episode.env_kwargs,
        seed=episode.seed,
        seats=episode.seats,
        stream=STREAM,
    )
