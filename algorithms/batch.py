"""Turns to tensors. Rows with the same tokens are forwarded once, and every turn looks its log-probs up there.

A row is one stretch of tokens in which the policy spoke once or more. A turn whose prompt is an earlier row plus
nothing but text that was appended goes on in that row, so an append-only conversation is one row however many turns it
has; any other turn starts a row of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from turnwise.records import Episode

Advantages = Sequence[Sequence[float | None]]


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


class Sample:
    """One row in the making, with the advantage and log-prob of every trained token."""

    __slots__ = ("advantages", "ids", "logprobs", "spans")

    def __init__(self) -> None:
        self.ids: tuple[int, ...] = ()
        self.spans: tuple[tuple[int, int], ...] = ()
        self.advantages: list[float] = []
        self.logprobs: list[float] = []

    def add(
        self, prompt: tuple[int, ...], completion: tuple[int, ...], logprobs: Sequence[float], advantage: float
    ) -> None:
        """Append a turn. `prompt` is the row so far and what was appended to it; raises ValueError if it is empty."""
        if not prompt:
            raise ValueError("a trained turn needs the prompt_ids that its first token was sampled from: got none")
        start, count = len(prompt), len(completion)
        self.ids = prompt + completion
        self.spans += ((start, start + count),)
        self.advantages += [advantage] * count
        self.logprobs += logprobs

    def continued_by(self, prompt: tuple[int, ...]) -> bool:
        """Whether a prompt is this row with text appended."""
        size = len(self.ids)
        return len(prompt) > size and prompt[:size] == self.ids


def samples_of(episode: Episode, advantages: Sequence[float | None]) -> list[Sample]:
    """The rows of one episode. A turn whose advantage is None is not trained."""
    latest: dict[str, Sample] = {}
    samples: list[Sample] = []
    for turn, advantage in zip(episode.turns, advantages, strict=True):
        if advantage is None or not turn.completion_ids:
            continue
        sample = latest.get(turn.seat)
        if sample is None or not sample.continued_by(turn.prompt_ids):
            latest[turn.seat] = sample = Sample()
            samples.append(sample)
        sample.add(turn.prompt_ids, turn.completion_ids, turn.logprobs, advantage)
    return samples


def pack(episodes: Sequence[Episode], advantages: Advantages, *, pad_id: int) -> Batch | None:
    """The batch of every trained turn, or None where there is none. `advantages`: one per turn, None: not trained."""
    samples = [s for episode, values in zip(episodes, advantages, strict=True) for s in samples_of(episode, values)]
    return pack_samples(samples, pad_id=pad_id) if samples else None


def pack_samples(samples: Sequence[Sample], *, pad_id: int) -> Batch:
    """The batch of at least one sample."""
    by_row: dict[Row, list[Sample]] = {}
    for sample in samples:
        by_row.setdefault(Row(sample.ids, sample.spans), []).append(sample)
    rows = sorted(by_row, key=lambda row: (len(row.ids), row.ids))
    ids, lengths, token_row, token_position, first = _lay_out(rows, pad_id)
    width = max(len(sample.advantages) for sample in samples)
    padding = [0.0] * width
    sample_row, counts, offsets, values, logprobs = [], [], [], [], []
    for index, row in enumerate(rows):
        for sample in by_row[row]:
            count = len(sample.advantages)
            sample_row.append(index)
            counts.append(count)
            offsets.append(first[index])
            values.append(sample.advantages + padding[count:])
            logprobs.append(sample.logprobs + padding[count:])
    mask = torch.arange(width) < torch.tensor(counts)[:, None]
    return Batch(
        ids=ids,
        lengths=lengths,
        token_row=token_row,
        token_position=token_position,
        sample_row=torch.tensor(sample_row),
        token_index=(torch.tensor(offsets)[:, None] + torch.arange(width)) * mask,
        mask=mask,
        advantages=torch.tensor(values, dtype=torch.float32),
        sampled_logprobs=torch.tensor(logprobs, dtype=torch.float32),
    )


def _lay_out(rows: Sequence[Row], pad_id: int) -> tuple[Tensor, Tensor, Tensor, Tensor, list[int]]:
    """Padded ids, lengths, (row, position) of every trained token, and the number of each row's first one."""
    width = len(rows[-1].ids)
    ids = torch.tensor([row.ids + (pad_id,) * (width - len(row.ids)) for row in rows])
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
    start = 0
    for row, length in enumerate(batch.lengths.tolist()):
        if row > start and length * (row - start + 1) > tokens:
            found.append((start, row))
            start = row
    found.append((start, len(batch.lengths)))
    return found


def take_rows(batch: Batch, first: int, last: int) -> Batch:
    """The part of a batch that looks into rows [first, last)."""
    tokens = (batch.token_row >= first) & (batch.token_row < last)
    samples = (batch.sample_row >= first) & (batch.sample_row < last)
    offset = int(tokens.nonzero()[0]) if tokens.any() else 0
    width = int(batch.lengths[first:last].max())
    return Batch(
        ids=batch.ids[first:last, :width],
        lengths=batch.lengths[first:last],
        token_row=batch.token_row[tokens] - first,
        token_position=batch.token_position[tokens],
        sample_row=batch.sample_row[samples] - first,
        token_index=(batch.token_index[samples] - offset).clamp_min(0) * batch.mask[samples],
        mask=batch.mask[samples],
        advantages=batch.advantages[samples],
        sampled_logprobs=batch.sampled_logprobs[samples],
    )


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The same batch on another device."""
    if device.type == "cpu":
        return batch
    return Batch(*(getattr(batch, name).to(device) for name in Batch.__dataclass_fields__))
