"""Forward passes of a few fixed shapes: rows and lengths are padded to buckets, on CUDA the passes are graphs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from turnwise.agents.decoder import Decoder
from turnwise.agents.kv import Pass, Pool

_LENGTH = 128
"""Tokens that the shortest bucket holds."""


def bucket(count: int, least: int) -> int:
    """The next power of two, or one and a half times one, from `least` on."""
    size = least
    while size < count:
        size = size + size // 2 if size & (size - 1) == 0 and size > 1 else 1 << size.bit_length()
    return size


class StaticPasses:
    """One token a row, rows at the front of the pool. No trunks."""

    def __init__(self, decoder: Decoder, pool: Pool) -> None:
        self._decoder, self._pool = decoder, pool
        self._graphs: dict[tuple[int, int], tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}
        """(rows, length) -> graph, what it is fed, and the logits that it leaves."""

    def room(self, rows: int, length: int) -> tuple[int, int]:
        """Slots and tokens that the pool needs for so many."""
        return bucket(rows, 1), bucket(length, _LENGTH)

    def forget(self) -> None:
        """The pool or the weights lie somewhere else now."""
        self._graphs.clear()

    def __call__(self, tokens: NDArray[np.int64], own: NDArray[np.int64]) -> Tensor:
        """Logits [rows, V] after `tokens` [rows], which go to place `own` of their slots."""
        count = len(tokens)
        rows, length = min(bucket(count, 1), self._pool.slots), bucket(int(own.max()) + 1, _LENGTH)
        fed = np.zeros((2, rows), dtype=np.int64)
        fed[0, :count], fed[1, :count] = tokens, own
        feed = torch.from_numpy(fed)
        if self._pool.cache.is_cuda:
            return self._replayed(feed, min(length, self._pool.length))[:count]
        return self._computed(feed, min(length, self._pool.length))[:count]

    def _computed(self, feed: Tensor, length: int) -> Tensor:
        """feed: [2, rows], tokens and their places. Every shape follows from `rows` and `length` alone."""
        tokens, own = feed
        rows, heads, device = len(tokens), self._decoder.key_heads, feed.device
        first = torch.arange(rows * heads, device=device).view(rows, heads) * self._pool.length
        seen = torch.arange(length, device=device) <= own[:, None]
        mask = torch.zeros(rows, length, dtype=self._pool.cache.dtype, device=device).masked_fill(~seen, -torch.inf)
        places = (first + own[:, None]).view(-1)
        attending = Pass(self._pool, self._decoder.scale, rows, places, length, mask[:, None, None])
        return self._decoder(tokens, own, attending, rows)

    def _replayed(self, feed: Tensor, length: int) -> Tensor:
        key = (feed.shape[1], length)
        if key not in self._graphs:
            self._graphs[key] = self._captured(feed.cuda(), length)
        graph, fed, logits = self._graphs[key]
        fed.copy_(feed)
        graph.replay()
        return logits

    def _captured(self, feed: Tensor, length: int) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor]:
        """What is written while it warms up is what will be written."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._computed(feed, length)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            logits = self._computed(feed, length)
        return graph, feed, logits
