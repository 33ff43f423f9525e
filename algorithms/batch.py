"""Turns to tensors. Rows with the same tokens are forwarded once, and every turn looks its log-probs up there.

A row is one stretch of tokens in which the policy spoke once or more. A turn whose prompt is an earlier row plus
nothing but text that was appended goes on in that row, so an append-only conversation is one row however many turns it
has; any other turn starts a row of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from turnwise.algorithms.credit.episodes import Advantage, TurnCredit
from turnwise.algorithms.tree import RowTree
from turnwise.records import Episode, Turn


@dataclass(frozen=True, slots=True)
class Row:
    """Tokens to forward, and where in them the policy spoke."""

    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    """[start, end) of each completion."""


@dataclass(frozen=True, slots=True)
class Batch:
    """R distinct rows of at most L tokens, M trained tokens in them, N samples of at most T trained tokens.

    A sample is one seat's share of one episode in one row: the sequence of the loss. Several may look into one row.
    """

    ids: Tensor
    """[R, L] int64, padded on the right."""
    lengths: Tensor
    """[R] int64."""
    token_row: Tensor
    """[M] int64: row of each distinct trained token, ascending."""
    token_position: Tensor
    """[M] int64: its position in the row, at least 1."""
    sample_row: Tensor
    """[N] int64, ascending."""
    token_index: Tensor
    """[N, T] int64: which of the M tokens; 0 where `mask` is False."""
    mask: Tensor
    """[N, T] bool: a token that the policy wrote and that is trained."""
    advantages: Tensor
    """[N, T] float32, 0.0 where `mask` is False."""
    sampled_logprobs: Tensor
    """[N, T] float32 nats: of the sampler; 0.0 where `mask` is False."""
    returns: Tensor
    """[N] float32: what the sample's seat got in its episode, in task units."""
    demonstrated: Tensor
    """[N] bool: somebody else's example, to be imitated. Its advantages weigh its cross-entropy."""
    train_logprobs: Tensor | None = None
    """[N, T] float32 nats: of the trainer before the update. This and the rest are None unless known of every token."""
    entropies: Tensor | None = None
    """[N, T] float32 nats: of the whole distribution there."""
    values: Tensor | None = None
    """[N, T] float32: the critic's prediction before each token, in task units."""
    targets: Tensor | None = None
    """[N, T] float32: what the critic is to predict there; NaN where nothing is asked of it."""
    tree: RowTree | None = None
    """The rows laid over each other, where they are to be forwarded so; None: as they are, padded."""


PER_TOKEN = ("advantages", "sampled_logprobs", "train_logprobs", "entropies", "values", "targets")
"""Fields that are [N, T] or None, padded with 0."""
_OF_TURN = {"train_logprobs": "train_logprobs", "entropies": "token_entropy", "values": "token_values"}
"""Field of the batch -> of a turn."""
DEMONSTRATION = "demonstration"
"""Key of an episode's metadata: its learner's turns are an example to imitate."""


class Sample:
    """One row in the making, with what is known of every trained token."""

    __slots__ = ("columns", "demonstrated", "ids", "places", "returned", "spans")

    def __init__(self, returned: float = 0.0, demonstrated: bool = False) -> None:
        """`returned`: what the seat got in the episode."""
        self.ids: tuple[int, ...] = ()
        self.spans: tuple[tuple[int, int], ...] = ()
        self.columns: dict[str, list[float]] = {"advantages": [], "sampled_logprobs": []}
        self.returned, self.demonstrated = returned, demonstrated
        self.places: list[int] = []
        """Index of each turn in its episode."""

    def add(
        self, prompt: tuple[int, ...], completion: tuple[int, ...], logprobs: Sequence[float], advantage: Advantage
    ) -> None:
        """Append a turn. `prompt` is the row so far and what was appended to it; raises ValueError if it is empty."""
        if not prompt:
            raise ValueError("a trained turn needs the prompt_ids that its first token was sampled from: got none")
        start, count, columns = len(prompt), len(completion), self.columns
        self.ids = prompt + completion
        self.spans += ((start, start + count),)
        if not isinstance(advantage, tuple):
            columns["advantages"] += (advantage or 0.0,) * count
        elif len(advantage) == count:
            columns["advantages"] += advantage
        else:
            raise ValueError(f"a turn of {count} tokens has one advantage or {count}: got {len(advantage)}")
        columns["sampled_logprobs"] += logprobs

    def note(self, turn: Turn, target: Advantage) -> None:
        """Append what else is known of the turn that was just added. A single target is its first token's."""
        if turn.train_logprobs is not None or turn.token_entropy is not None or turn.token_values is not None:
            for name, of_turn in _OF_TURN.items():
                column = getattr(turn, of_turn)
                if column is not None:
                    self.columns.setdefault(name, []).extend([math.nan if entry is None else entry for entry in column])
        if target is not None:
            single = not isinstance(target, tuple)
            padding = (math.nan,) * (len(turn.completion_ids) - 1)
            found = (target, *padding) if single else target
            so_far = len(self.columns["advantages"]) - len(turn.completion_ids)
            column = self.columns.setdefault("targets", [])
            column += [math.nan] * (so_far - len(column))
            column += found  # type: ignore[arg-type]  # a tuple of floats either way

    def continued_by(self, prompt: tuple[int, ...]) -> bool:
        """Whether a prompt is this row with text appended."""
        size = len(self.ids)
        return len(prompt) > size and prompt[:size] == self.ids


def samples_of(
    episode: Episode, advantages: Sequence[Advantage], targets: Sequence[Advantage] | None = None
) -> list[Sample]:
    """The rows of one episode. A turn whose advantage is None is not trained."""
    latest: dict[str, Sample] = {}
    samples: list[Sample] = []
    demonstrated = bool(episode.metadata.get(DEMONSTRATION))
    for index, (turn, advantage) in enumerate(zip(episode.turns, advantages, strict=True)):
        if advantage is None or not turn.completion_ids:
            continue
        sample = latest.get(turn.seat)
        if sample is None or not sample.continued_by(turn.prompt_ids):
            latest[turn.seat] = sample = Sample(episode.returns[turn.seat], demonstrated)
            samples.append(sample)
        sample.add(turn.prompt_ids, turn.completion_ids, turn.logprobs, advantage)
        sample.note(turn, None if targets is None else targets[index])
        sample.places.append(index)
    return samples


def pack(
    episodes: Sequence[Episode], advantages: TurnCredit, *, pad_id: int, targets: TurnCredit | None = None
) -> Batch | None:
    """The batch of every trained turn, or None where there is none. `advantages`, `targets`: laid out as the turns.

    Targets that ask nothing of any token are still there: a critic has nothing to learn in this batch alone.
    """
    samples = [
        sample
        for index, episode in enumerate(episodes)
        for sample in samples_of(episode, advantages[index], None if targets is None else targets[index])
    ]
    if not samples:
        return None
    batch = pack_samples(samples, pad_id=pad_id)
    if targets is None or batch.targets is not None:
        return batch
    return replace(batch, targets=torch.full_like(batch.advantages, math.nan))


def in_batch_order(samples: Sequence[Sample]) -> tuple[list[Row], list[list[Sample]]]:
    """The distinct rows of a batch in lexicographic order, and the samples that look into each."""
    by_row: dict[tuple[tuple[int, ...], tuple[tuple[int, int], ...]], list[Sample]] = {}
    for sample in samples:
        by_row.setdefault((sample.ids, sample.spans), []).append(sample)
    keys = sorted(by_row)
    return [Row(*key) for key in keys], [by_row[key] for key in keys]


def pack_samples(samples: Sequence[Sample], *, pad_id: int) -> Batch:
    """The batch of at least one sample."""
    rows, by_row = in_batch_order(samples)
    ids, lengths, token_row, token_position, first = _lay_out(rows, pad_id)
    ordered = [sample for members in by_row for sample in members]
    counts = torch.from_numpy(np.array([len(sample.columns["advantages"]) for sample in ordered]))
    sample_row = torch.from_numpy(np.repeat(np.arange(len(rows)), [len(members) for members in by_row]))
    columns = torch.arange(int(counts.max()))
    mask = columns < counts[:, None]
    return Batch(
        ids=ids,
        lengths=lengths,
        token_row=token_row,
        token_position=token_position,
        sample_row=sample_row,
        token_index=(torch.tensor(first)[sample_row][:, None] + columns) * mask,
        mask=mask,
        returns=torch.tensor([sample.returned for sample in ordered], dtype=torch.float32),
        demonstrated=torch.tensor([sample.demonstrated for sample in ordered]),
        **_padded(ordered, len(columns)),
    )


def _padded(samples: Sequence[Sample], width: int) -> dict[str, Any]:
    """[N, width] of every column that is known of each sample; targets, of any: NaN elsewhere.

    Nobody asks a critic about demonstrations: their values may be missing, and are 0.
    """
    found: dict[str, Any] = {}
    whole = [len(sample.columns["advantages"]) for sample in samples]
    noted = set[str]().union(*[sample.columns for sample in samples])
    for name in [name for name in PER_TOKEN if name in noted]:
        rows = [sample.columns.get(name, []) for sample in samples]
        known = [*map(len, rows)] == whole or (name == "values" and _known_of_own(rows, samples, whole))
        if known or name == "targets":
            found[name] = _table(rows, width, 0.0 if known else math.nan, np.float32)
    return found


def _known_of_own(rows: Sequence[Sequence[float]], samples: Sequence[Sample], whole: Sequence[int]) -> bool:
    """Whether every sample but demonstrations has an entry for each of its tokens."""
    triples = zip(rows, samples, whole, strict=True)
    return all(sample.demonstrated or len(row) == count for row, sample, count in triples)


def _table(rows: Sequence[Sequence[float]], width: int, padding: float, dtype: type[np.generic]) -> Tensor:
    """[rows, width] of `dtype`: the entries of each row, and behind them padding."""
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    table = np.full((len(rows), width), padding, dtype=dtype)
    table[np.arange(width) < lengths[:, None]] = np.array(list(chain.from_iterable(rows)), dtype=dtype)
    return torch.from_numpy(table)


def _lay_out(rows: Sequence[Row], pad_id: int) -> tuple[Tensor, Tensor, Tensor, Tensor, list[int]]:
    """Padded ids, lengths, (row, position) of every trained token, and the number of each row's first one."""
    width = max(len(row.ids) for row in rows)
    ids = _table([row.ids for row in rows], width, pad_id, np.int64)
    lengths = torch.tensor([len(row.ids) for row in rows])
    token_row: list[int] = []
    token_position: list[int] = []
    first: list[int] = []
    for index, row in enumerate(rows):
        first.append(len(token_row))
        for start, end in row.spans:
            token_row += [index] * (end - start)
            token_position += range(start, end)
    return ids, lengths, torch.tensor(token_row), torch.tensor(token_position), first


def blocks(batch: Batch, tokens: int) -> list[tuple[int, int]]:
    """[first, last) rows of each micro-batch: as many rows as fit `tokens` padded tokens, at least one."""
    found: list[tuple[int, int]] = []
    start = longest = 0
    for row, length in enumerate(batch.lengths.tolist()):
        longest = max(longest, length)
        if row > start and longest * (row - start + 1) > tokens:
            found.append((start, row))
            start, longest = row, length
    found.append((start, len(batch.lengths)))
    return found


def take_rows(batch: Batch, first: int, last: int) -> Batch:
    """The part of a batch that looks into rows [first, last), without a tree."""
    tokens = (batch.token_row >= first) & (batch.token_row < last)
    samples = (batch.sample_row >= first) & (batch.sample_row < last)
    offset = int(tokens.nonzero()[0]) if tokens.any() else 0
    width = int(batch.lengths[first:last].max())
    return replace(
        batch,
        ids=batch.ids[first:last, :width],
        lengths=batch.lengths[first:last],
        token_row=batch.token_row[tokens] - first,
        token_position=batch.token_position[tokens],
        sample_row=batch.sample_row[samples] - first,
        token_index=(batch.token_index[samples] - offset).clamp_min(0) * batch.mask[samples],
        tree=None,
        **_of_samples(batch, samples),
    )


def by_length(batch: Batch) -> Batch:
    """The same batch with its rows in another order, shortest first: where they are padded, little is."""
    rows = batch.lengths.argsort(stable=True)
    place = rows.argsort()
    tokens = place[batch.token_row].argsort(stable=True)
    samples = place[batch.sample_row].argsort(stable=True)
    return replace(
        batch,
        ids=batch.ids[rows],
        lengths=batch.lengths[rows],
        token_row=place[batch.token_row][tokens],
        token_position=batch.token_position[tokens],
        sample_row=place[batch.sample_row][samples],
        token_index=tokens.argsort()[batch.token_index[samples]] * batch.mask[samples],
        tree=None,
        **_of_samples(batch, samples),
    )


def _of_samples(batch: Batch, samples: Tensor) -> dict[str, Any]:
    """Their part of what is known of each sample. samples: indices, or a mask."""
    names = ("mask", "returns", "demonstrated", *PER_TOKEN)
    return {name: None if getattr(batch, name) is None else getattr(batch, name)[samples] for name in names}


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The same batch on another device, without its tree: that is made where it is computed with."""
    if batch.ids.device == device or (device.type == "cpu" and batch.ids.device.type == "cpu"):
        return batch
    tensors: dict[str, Any] = {
        field.name: getattr(batch, field.name) for field in fields(batch) if field.name != "tree"
    }
    moved: dict[str, Any] = {n: None if tensor is None else _moved(tensor, device) for n, tensor in tensors.items()}
    return Batch(**moved)


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    """A copy on a device; to a GPU from memory that it reads by itself, while the host goes on."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
