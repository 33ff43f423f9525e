"""A replay buffer of turns: kept with the advantage and the log-probs that they were sampled with, trained again later.

Because the behaviour's log-probs are kept, a replayed turn is corrected for the weights that sampled it: its ratio, or
a correction's weight, does not start at 1. (The released program of SPO-tree takes the current policy's instead.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.credit.episodes import TurnCredit
from turnwise.records import PER_TOKEN, Episode, Turn, episode_from_dict, episode_to_dict


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Settings of the buffer."""

    turns: int = 0
    """Kept turns that are trained again in one step; 0 for no buffer."""
    per_task: int = 32
    """Most turns that are kept of one task and step."""
    max_age: int = 8
    """Steps after which a turn is dropped."""

    def __post_init__(self) -> None:
        require_between("replay.turns", self.turns, 0)
        require_between("replay.per_task", self.per_task, 1)
        require_between("replay.max_age", self.max_age, 1)


class Drawn(NamedTuple):
    """What a step trains on again, and the state of the buffer after it."""

    episodes: list[Episode]
    """One turn each."""
    advantages: TurnCredit
    state: dict[str, Any]
    """Fit for JSON."""


def replay(
    episodes: Sequence[Episode], advantages: TurnCredit, state: dict[str, Any], settings: Replay, seed: int
) -> Drawn:
    """Draw from what earlier steps kept, then keep this step's trained turns.

    Args:
        episodes, advantages: Of this step, after credit.
        state: {} at the start, else what the call before returned.
        seed: Of the buffer's choices; each step draws from a stream of its own.
    """
    step = int(state.get("step", 0))
    rng = np.random.default_rng((seed, step))
    old = [entry for entry in state.get("kept", []) if step - entry["born"] <= settings.max_age]
    chosen = sorted(rng.permutation(len(old))[: settings.turns].tolist())
    fresh = [entry for task in _tasks(episodes, advantages) for entry in _few(task, settings.per_task, rng)]
    kept = old + [{"born": step, "episode": episode_to_dict(e), "advantage": a} for e, a in fresh]
    again = [episode_from_dict(old[index]["episode"]) for index in chosen]
    values = [old[index]["advantage"] for index in chosen]
    credit: TurnCredit = [[tuple(value) if isinstance(value, list) else value] for value in values]
    return Drawn(again, credit, {"step": step + 1, "kept": kept})


def _tasks(episodes: Sequence[Episode], advantages: TurnCredit) -> Iterator[list[tuple[Episode, Any]]]:
    """The trained turns of each group, an episode of one turn each."""
    found: dict[str, list[tuple[Episode, Any]]] = {}
    for episode, row in zip(episodes, advantages, strict=True):
        for index, (turn, advantage) in enumerate(zip(episode.turns, row, strict=True)):
            if advantage is not None and turn.completion_ids:
                found.setdefault(episode.group or episode.id, []).append((_alone(episode, turn, index), advantage))
    yield from found.values()


def _few(entries: list[tuple[Episode, Any]], most: int, rng: np.random.Generator) -> list[tuple[Episode, Any]]:
    if len(entries) <= most:
        return entries
    return [entries[index] for index in sorted(rng.permutation(len(entries))[:most].tolist())]


def _alone(episode: Episode, turn: Turn, index: int) -> Episode:
    """The episode with this turn only, and without what weights that are gone have said of it."""
    noted: dict[str, Any] = dict.fromkeys(PER_TOKEN)
    return replace(
        episode,
        id=f"{episode.id}#{index}",
        turns=(replace(turn, value=None, answer_logprob=None, observation=(), **noted),),
        parent=None,
        fork_turn=None,
        metadata={},
    )
