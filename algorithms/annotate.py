"""What the trainer's weights say of episodes that were just played, written into their turns before credit is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from turnwise.agents.context import ChatContext
from turnwise.algorithms.answers import Question, answer_logprobs, spelled
from turnwise.algorithms.batch import Batch, packed
from turnwise.algorithms.credit.episodes import TurnCredit, is_finished, is_trained
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.policy import score
from turnwise.algorithms.samples import gather
from turnwise.records import Episode

SCORED = frozenset({"train_logprobs", "token_entropy", "squared_probs", "reference_logprobs"})
VALUED = frozenset({"values", "token_values"})
ANNOTATED = SCORED | VALUED | {"answer_logprob"}
"""Needs that `annotate` fills."""

Changes = dict[tuple[int, int], dict[str, Any]]
"""(episode, turn) -> fields."""


def annotate(
    episodes: Sequence[Episode],
    learner: Learner,
    context: ChatContext,
    wanted: frozenset[str],
    *,
    name: str,
    answer_prefix: str,
    answer_suffix: str = "",
) -> list[Episode]:
    """The episodes with what is `wanted` (out of ANNOTATED) in every turn of the agent called `name`.

    `values` fills Turn.value, Turn.token_values and Episode.end_values of episodes that were cut off. The value of the
    state that a cut-off episode stopped in is read after the seat's last token.
    Raises ValueError where answers are wanted and an episode has no ground truth.
    """
    if not wanted:
        return list(episodes)
    changes: Changes = {}
    ends: dict[int, dict[str, float]] = {}
    wanted = wanted - known(episodes, name)
    if wanted & (SCORED | VALUED):
        _examine(episodes, learner, context, wanted, name, changes, ends)
    if "answer_logprob" in wanted:
        _ask_for_answers(episodes, learner, context, name, (answer_prefix, answer_suffix), changes)
    if not changes:
        return list(episodes)
    return [_changed(episode, index, changes, ends.get(index)) for index, episode in enumerate(episodes)]


def known(episodes: Sequence[Episode], name: str) -> set[str]:
    """Scored needs that every trained turn has already: in one step the weights do not move."""
    turns = [t for episode in episodes if is_finished(episode) for t in episode.turns if is_trained(episode, t, name)]
    return {need for need in SCORED if turns and all(getattr(turn, need) is not None for turn in turns)}


def scored(
    episodes: Sequence[Episode], learner: Learner, context: ChatContext, wanted: frozenset[str], *, name: str
) -> Changes:
    """What the weights say now of every turn of the agent called `name`, out of SCORED, whatever is written there."""
    changes: Changes = {}
    if wanted:
        _examine(episodes, learner, context, wanted, name, changes, {})
    return changes


def _changed(episode: Episode, index: int, changes: Changes, end: Mapping[str, float] | None) -> Episode:
    turns = tuple(
        replace(turn, **changes[index, place]) if (index, place) in changes else turn
        for place, turn in enumerate(episode.turns)
    )
    return replace(episode, turns=turns, end_values=end if end is not None else episode.end_values)


def _examine(
    episodes: Sequence[Episode],
    learner: Learner,
    context: ChatContext,
    wanted: frozenset[str],
    name: str,
    changes: Changes,
    ends: dict[int, dict[str, float]],
) -> None:
    finished = [index for index, episode in enumerate(episodes) if is_finished(episode)]
    shown = [_without_notes(episodes[index]) for index in finished]
    credit: TurnCredit = [[0.0 if is_trained(e, turn, name) else None for turn in e.turns] for e in shown]
    samples = gather(shown, credit)
    if not samples.turns:
        return
    batch = packed(samples, pad_id=context.tokenizer.pad_token_id)
    columns, end_values = examine(learner, batch, wanted)
    where = [
        (index, p) for index, row in zip(finished, credit, strict=True) for p, v in enumerate(row) if v is not None
    ]
    order = samples.in_batch_order()
    tokens = batch.token_index[batch.mask]
    flat = {field: column[tokens].tolist() for field, column in columns.items()}
    sizes = [(where[number], len(samples.turns[number].completion_ids)) for number in order.turns.tolist()]
    _write_down(flat, sizes, changes)
    if end_values is not None:
        latest = dict(zip(samples.sample, where, strict=True))
        for number, value in sorted(zip(order.samples.tolist(), end_values, strict=True)):
            index, place = latest[number]
            if episodes[index].status == "truncated":
                ends.setdefault(index, {})[episodes[index].turns[place].seat] = value


def _without_notes(episode: Episode) -> Episode:
    """The episode without what was written into its turns before, so that a part of it that a fork shares does not
    differ from the rest."""
    fresh: dict[str, Any] = {"train_logprobs": None, "token_entropy": None, "token_values": None}
    if all(turn.train_logprobs is None and turn.token_values is None for turn in episode.turns):
        return episode
    return replace(episode, turns=tuple(replace(turn, **fresh) for turn in episode.turns))


def _write_down(
    columns: Mapping[str, list[float]], turns: Sequence[tuple[tuple[int, int], int]], changes: Changes
) -> None:
    """Add what the columns say of the tokens of these turns, one after the other. turns: where, and of how many."""
    start = 0
    for where, size in turns:
        fields: dict[str, Any] = {field: tuple(column[start : start + size]) for field, column in columns.items()}
        if "token_values" in fields:
            fields["value"] = fields["token_values"][0]
        changes.setdefault(where, {}).update(fields)
        start += size


@torch.no_grad()
def examine(learner: Learner, batch: Batch, wanted: frozenset[str]) -> tuple[dict[str, Tensor], list[float] | None]:
    """[M] of every scored need, under the name of its field; and the value after the last token of each sample."""
    found = learner.spread(learner.pieces(batch), lambda piece: _of_piece(learner, piece, wanted))
    columns = {field: torch.cat([part[field] for part, _ in found]).double().cpu() for field in found[0][0]}
    ends = [after for _, after in found if after is not None]
    return columns, torch.cat(ends).tolist() if ends else None


def _of_piece(learner: Learner, piece: Batch, wanted: frozenset[str]) -> tuple[dict[str, Tensor], Tensor | None]:
    columns = _scored(learner, piece, wanted)
    if learner.critic is None or not wanted & VALUED:
        return columns, None
    before, after = learner.critic.everywhere(learner.model, piece)
    return columns | {"token_values": before}, after[piece.sample_row]


def _scored(learner: Learner, piece: Batch, wanted: frozenset[str]) -> dict[str, Tensor]:
    columns: dict[str, Tensor] = {}
    if wanted & (SCORED - {"reference_logprobs"}):
        asked = {"entropy": "token_entropy" in wanted, "squares": "squared_probs" in wanted}
        scores = score(learner.model, piece, temperature=learner.temperature, **asked)
        found = {"train_logprobs": scores.logprobs, "token_entropy": scores.entropy, "squared_probs": scores.squares}
        columns |= {name: column for name, column in found.items() if column is not None}
    if "reference_logprobs" in wanted:
        if learner.reference is None:
            raise ValueError("log-probs of a reference need one: the learner was made without keep_reference")
        columns["reference_logprobs"] = score(learner.reference, piece, temperature=learner.temperature).logprobs
    return columns


def _ask_for_answers(
    episodes: Sequence[Episode],
    learner: Learner,
    context: ChatContext,
    name: str,
    answer_form: tuple[str, str],
    changes: Changes,
) -> None:
    places, questions = [], []
    for index, episode in enumerate(episodes):
        if not is_finished(episode):
            continue
        for seat in [seat for seat, agent in episode.seats.items() if agent == name]:
            mine = [i for i, turn in enumerate(episode.turns) if turn.seat == seat and is_trained(episode, turn, name)]
            if mine:
                places.append([(index, place) for place in mine])
                questions.append(_question(episode, mine, context, answer_form))
    pad_id = context.tokenizer.pad_token_id
    found = answer_logprobs(
        learner.model, questions, temperature=learner.temperature, pad_id=pad_id, spread=learner.spread
    )
    for where, scores in zip(places, found, strict=True):
        for place, nats in zip(where, scores, strict=True):
            changes.setdefault(place, {})["answer_logprob"] = nats


def _question(episode: Episode, mine: Sequence[int], context: ChatContext, form: tuple[str, str]) -> Question:
    if episode.ground_truth is None:
        raise ValueError(
            f"an answer's log-prob needs the answer: episode {episode.id!r} of {episode.env_id} has no ground truth"
        )
    prompts = tuple(episode.turns[place].prompt_ids for place in mine)
    before, after = form
    return Question(prompts, *spelled(context.encode, context.decode, before, episode.ground_truth, after))
