"""Turns to tensors. Rows with the same tokens are forwarded once, and every turn looks its log-probs up there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from turnwise.algorithms.credit.episodes import Advantage, TurnCredit
from turnwise.algorithms.samples import Ints, Row, Sample, Samples, gather, together
from turnwise.algorithms.tree import RowTree
from turnwise.records import Episode

Flags = np.ndarray[Any, np.dtype[np.bool_]]
Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]


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


def pack(
    episodes: Sequence[Episode], advantages: TurnCredit, *, pad_id: int, targets: TurnCredit | None = None
) -> Batch | None:
    """The batch of every trained turn, or None where there is none. `advantages`, `targets`: laid out as the turns.

    Targets that ask nothing of any token are still there: a critic has nothing to learn in this batch alone.
    """
    samples = gather(episodes, advantages, targets)
    if not samples.turns:
        return None
    batch = packed(samples, pad_id=pad_id)
    if targets is None or batch.targets is not None:
        return batch
    return replace(batch, targets=torch.full_like(batch.advantages, math.nan))


def pack_samples(samples: Sequence[Sample], *, pad_id: int) -> Batch:
    """The batch of at least one sample."""
    return packed(together(samples), pad_id=pad_id)


def packed(samples: Samples, *, pad_id: int) -> Batch:
    """The batch of at least one sample."""
    order = samples.in_batch_order()
    ids, lengths, token_row, token_position, trained = _laid_out(order.rows, pad_id)
    first, counts = (np.cumsum(trained) - trained)[order.sample_row], trained[order.sample_row]
    columns = np.arange(counts.max())
    mask = columns < counts[:, None]
    known: dict[str, Any] = {
        name: _table(mask, *column) for name, column in _known(samples, order.turns.tolist()).items()
    }
    return Batch(
        ids=torch.from_numpy(ids),
        lengths=torch.from_numpy(lengths),
        token_row=torch.from_numpy(token_row),
        token_position=torch.from_numpy(token_position),
        sample_row=torch.from_numpy(order.sample_row),
        token_index=torch.from_numpy((first[:, None] + columns) * mask),
        mask=torch.from_numpy(mask),
        returns=torch.from_numpy(np.array(samples.returned, dtype=np.float32)[order.samples]),
        demonstrated=torch.from_numpy(np.array(samples.demonstrated)[order.samples]),
        **known,
    )


def _laid_out(rows: Sequence[Row], pad_id: int) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Padded ids, lengths, (row, position) of every trained token, and how many each row has."""
    lengths = np.array([len(row.ids) for row in rows])
    ids = np.full((len(rows), lengths.max()), pad_id)
    ids[np.arange(ids.shape[1]) < lengths[:, None]] = np.fromiter(chain.from_iterable([row.ids for row in rows]), int)
    starts, ends = np.array([span for row in rows for span in row.spans]).T
    span_row = np.repeat(np.arange(len(rows)), [len(row.spans) for row in rows])
    counts = ends - starts
    number = np.arange(counts.sum())
    token_row = np.repeat(span_row, counts)
    token_position = number + np.repeat(starts - np.cumsum(counts) + counts, counts)
    return ids, lengths, token_row, token_position, np.bincount(token_row)


def _table(mask: Flags, entries: Floats, padding: float = 0.0) -> Tensor:
    """[N, T] float32: one entry after the other where the mask says so, padding elsewhere."""
    table = np.full(mask.shape, padding, dtype=np.float32)
    table[mask] = entries
    return torch.from_numpy(table)


def _known(samples: Samples, order: Sequence[int]) -> dict[str, Any]:
    """Every column that is known of each turn: its entries, token by token of the turns in this order, and its padding.

    Targets are known where there are any: NaN elsewhere. Nobody asks a critic about demonstrations: their values may be
    missing, and are 0.
    """
    turns = [samples.turns[place] for place in order]
    sizes = [len(turn.completion_ids) for turn in turns]
    credit = [samples.credit[place] for place in order]
    found: dict[str, Any] = {
        "advantages": (_spread(credit, sizes),),
        "sampled_logprobs": (_flat([turn.logprobs for turn in turns]),),
    }
    for name, of_turn in _OF_TURN.items():
        column = list(map(attrgetter(of_turn), turns))
        missing = column.count(None)
        if name == "values" and 0 < missing < len(column):
            shown = [samples.demonstrated[samples.sample[place]] for place in order]
            column = [
                (0.0,) * size if entries is None and other else entries
                for entries, other, size in zip(column, shown, sizes, strict=True)
            ]
            missing = column.count(None)
        if not missing:
            found[name] = (_flat(column),)
    if samples.targets and samples.targets.count(None) < len(samples.targets):
        asked = [_asked(samples.targets[place], size) for place, size in zip(order, sizes, strict=True)]
        found["targets"] = (_flat(asked), math.nan)
    return found


def _flat(rows: Sequence[Sequence[float | None]]) -> Floats:
    """[sum of lengths] float32; what is not known is NaN."""
    return np.array(list(chain.from_iterable(rows)), dtype=np.float32)


def _spread(credit: Sequence[Advantage], sizes: Sequence[int]) -> Floats:
    """[sum of sizes] float32: a turn's one number for each of its tokens, or its own one per token."""
    if tuple not in set(map(type, credit)):
        return np.repeat(np.array(credit, dtype=np.float32) + np.float32(0.0), sizes)  # -0.0 + 0.0 is 0.0
    each = []
    for entry, size in zip(credit, sizes, strict=True):
        each.append(entry if isinstance(entry, tuple) else (entry or 0.0,) * size)
        if len(each[-1]) != size:
            raise ValueError(f"a turn of {size} tokens has one advantage or {size}: got {len(each[-1])}")
    return _flat(each)


def _asked(target: Advantage, size: int) -> Sequence[float]:
    """A single target is its first token's."""
    return target if isinstance(target, tuple) else (math.nan if target is None else target, *(math.nan,) * (size - 1))


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
