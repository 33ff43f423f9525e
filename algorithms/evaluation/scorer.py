"""Log-probs of whole replies under a model: many (prompt, reply) pairs at once, each distinct one forwarded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from turnwise.algorithms.batch import Batch, pack_samples, to_device
from turnwise.algorithms.layouts import layout_of
from turnwise.algorithms.pieces import cut, in_order
from turnwise.algorithms.policy import score
from turnwise.algorithms.samples import Sample

Ids = tuple[int, ...]
Scorer = Callable[[Sequence[tuple[Ids, Ids]]], list[float]]
"""Pairs of (prompt ids, reply ids) -> log p of each reply after its prompt, in nats, in the same order."""


def model_scorer(model: Any, *, temperature: float, pad_id: int, batch_tokens: int = 16_384) -> Scorer:
    """The scorer of a causal language model at a temperature; `batch_tokens`: most tokens in a forward pass."""

    def score_pairs(pairs: Sequence[tuple[Ids, Ids]]) -> list[float]:
        if not pairs:
            return []
        batch = to_device(pack_samples([_sample(*pair) for pair in dict.fromkeys(pairs)], pad_id=pad_id), model.device)
        known: dict[tuple[Ids, Ids], float] = {}
        layout = layout_of(model)
        for part in cut(in_order(batch, layout), batch_tokens, layout=layout):
            known.update(_scored(model, part, temperature))
        return [known[pair] for pair in pairs]

    return score_pairs


def _sample(prompt: Ids, completion: Ids) -> Sample:
    sample = Sample()
    sample.add(prompt, completion, [0.0] * len(completion), 0.0)
    return sample


@torch.no_grad()
def _scored(model: Any, batch: Batch, temperature: float) -> Iterator[tuple[tuple[Ids, Ids], float]]:
    """Each pair of a batch, read back from its tokens because packing sorts, and the log-prob of its reply."""
    logprobs = score(model, batch, temperature=temperature).logprobs.double()
    totals = logprobs[batch.token_index].masked_fill(~batch.mask, 0.0).sum(1).tolist()
    rows, lengths = batch.ids.tolist(), batch.lengths.tolist()
    starts = batch.token_position[batch.token_index[:, 0]].tolist()
    for row, start, total in zip(batch.sample_row.tolist(), starts, totals, strict=True):
        ids = tuple(rows[row][: lengths[row]])
        yield (ids[:start], ids[start:]), total
