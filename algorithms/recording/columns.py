"""What is written into the turns of an episode that was trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from turnwise.algorithms.credit.episodes import Advantage
from turnwise.records import Episode, Turn


def with_advantages(episode: Episode, credit: Sequence[Advantage], *, mask: float | None, old: str) -> Episode:
    """The episode with the advantage of every token that was trained.

    mask, old: `Objective.probability_mask` and `Optimisation.old_logprobs`: tokens that the old policy, the sampler's
    or the trainer's, gave a higher probability were left out.
    """
    turns = (
        replace(turn, advantages=_of_tokens(turn, advantage, mask, old))
        for turn, advantage in zip(episode.turns, credit, strict=True)
    )
    return replace(episode, turns=tuple(turns))


def _of_tokens(turn: Turn, advantage: Advantage, mask: float | None, old: str) -> tuple[float | None, ...] | None:
    count = len(turn.completion_ids)
    if advantage is None or not count:
        return None
    each: tuple[float | None, ...] = advantage if isinstance(advantage, tuple) else (float(advantage),) * count
    likely = turn.logprobs if old == "sampler" else turn.train_logprobs
    if mask is None or likely is None:
        return each
    return tuple(entry if math.exp(nats) <= mask else None for entry, nats in zip(each, likely, strict=True))


def without_scores(episode: Episode) -> Episode:
    """The episode as if no weights had looked at its tokens."""
    return replace(episode, turns=tuple(replace(turn, train_logprobs=None) for turn in episode.turns))


def filled(episode: Episode, scored: Episode) -> Episode:
    """The episode with log-probs and entropies of `scored` where it has none of its own."""
    return _with_turns(episode, scored, lambda mine, other: {n: getattr(other, n) for n in _BEFORE if _lacks(mine, n)})


def updated(episode: Episode, scored: Episode) -> Episode:
    """The episode with the log-probs of `scored` as those after the update."""
    return _with_turns(episode, scored, lambda mine, other: {"updated_logprobs": other.train_logprobs})


_BEFORE = ("train_logprobs", "token_entropy")


def _lacks(turn: Turn, name: str) -> bool:
    return getattr(turn, name) is None


def _with_turns(episode: Episode, scored: Episode, changes: Any) -> Episode:
    pairs = zip(episode.turns, scored.turns, strict=True)
    return replace(episode, turns=tuple(replace(mine, **changes(mine, other)) for mine, other in pairs))
