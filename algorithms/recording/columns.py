"""What is written into the turns of an episode that was trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from turnwise.algorithms.credit.episodes import Advantage
from turnwise.records import Episode, Turn


def told(
    episode: Episode,
    credit: Sequence[Advantage],
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    *,
    mask: float | None,
    old: str,
    step: int,
) -> Episode:
    """The episode with what each token was trained with, and how likely it was before the update and after it.

    before, after: of each turn, the fields that the weights then say of it, if any; what it knows itself wins.
    mask, old: `Objective.probability_mask` and `Optimisation.old_logprobs`: tokens that the old policy, the sampler's
    or the trainer's, gave a higher probability were left out.
    """
    turns = []
    for turn, advantage, first, last in zip(episode.turns, credit, before, after, strict=True):
        known = first.get("train_logprobs") if turn.train_logprobs is None else turn.train_logprobs
        likely = turn.logprobs if old == "sampler" else known
        turns.append(
            replace(
                turn,
                train_logprobs=known,
                token_entropy=first.get("token_entropy") if turn.token_entropy is None else turn.token_entropy,
                updated_logprobs=last.get("train_logprobs"),
                advantages=_of_tokens(turn, advantage, likely, mask),
            )
        )
    return replace(episode, turns=tuple(turns), metadata={**episode.metadata, "step": step, "kind": "train"})


def _of_tokens(
    turn: Turn, advantage: Advantage, likely: Sequence[float] | None, mask: float | None
) -> tuple[float | None, ...] | None:
    count = len(turn.completion_ids)
    if advantage is None or not count:
        return None
    each: tuple[float | None, ...] = advantage if isinstance(advantage, tuple) else (float(advantage),) * count
    if mask is None or likely is None:
        return each
    return tuple(entry if math.exp(nats) <= mask else None for entry, nats in zip(each, likely, strict=True))
