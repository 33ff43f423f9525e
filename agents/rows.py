"""The distinct contexts that are being sampled from: one row and one slot each, latest token first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from turnwise.agents.clock import ModelClock
from turnwise.agents.decoder import Decoder
from turnwise.agents.kv import Block, Branch, Parked, Pool, Reading, Trunk, make_parked, make_pass
from turnwise.agents.static import StaticPasses

Ints = NDArray[np.int64]
Opening = tuple[tuple[int, ...], Parked | None, Trunk | None, int]
"""(context, the cache that it goes on from, the trunk that it begins with, tokens of it that lie there)."""
_TOKENS = 8192
"""Most tokens that one forward pass reads."""
_SCORES = 1 << 24
"""Most scores of one block of attention, per head."""


class Rows:
    """Rows 0 to `count` - 1, each with one token that is to be read next, some with more before it."""

    def __init__(self, decoder: Decoder, clock: ModelClock, buckets: bool) -> None:
        """buckets: forward passes over one token a row have a few fixed shapes; on CUDA they are replayed graphs."""
        self.decoder, self._clock = decoder, clock
        self._device = decoder.embedding.device
        self.pool = Pool(decoder.layers, decoder.key_heads, decoder.head_dim, self._device)
        self._static = StaticPasses(decoder, self.pool) if buckets else None
        self.shares_trunks = not buckets
        self.count = self._most = self._longest = 0
        self._numbers = np.zeros((3, 0), dtype=np.int64)
        """Tokens in the slot, tokens in the trunk, and the token to read."""
        self._own, self._shared, self._latest = self._numbers
        self._trunks: list[Trunk | None] = []
        self._unread: dict[int, Ints] = {}
        """Row -> tokens to read before the latest one."""
        self._changed = True
        """Whether rows came, went or read since the pass before."""
        self._deepest = 0
        """Tokens of the longest slot that the latest tokens see, the latest one among them."""
        self._mask_now: NDArray[np.float32] | None = None
        """[rows, T]: 0 for what a row's latest token sees, or None where all see equally many; one more every pass."""
        self._first = np.zeros((0, 0), dtype=np.int64)
        """[slots, key heads] where the keys of a slot begin, in a layer's slots laid out flat."""
        self._branches: tuple[Branch, ...] = ()

    # Opening and closing

    def reserve(self, rows: int, length: int, longest: int, most: int) -> None:
        """Have room for so many rows beside those there are, of `length` tokens now and none ever longer than
        `longest`; `most`: rows in all, ever."""
        self._most, self._longest = most, max(longest, self._longest if self.count else 0)
        rows = rows + self.count
        if self._static is not None:
            rows, length = self._static.room(rows, longest)
        moved = self.pool.reserve(rows, length, self.count, max(most, rows), self.dtype)
        if moved:
            self.forget()
        self._reach(self.pool.length)
        if moved:
            heads = self.decoder.key_heads
            self._first = (np.arange(self.pool.slots * heads) * self.pool.length).reshape(-1, heads)
        if len(self._own) < self.pool.slots:
            missing = self.pool.slots - len(self._own)
            self._numbers = np.pad(self._numbers, ((0, 0), (0, missing)))
            self._own, self._shared, self._latest = self._numbers

    @property
    def dtype(self) -> torch.dtype:
        """Of keys and values: what products are rounded to."""
        kind = self._device.type
        return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else self.decoder.embedding.dtype

    def open(self, contexts: Sequence[Opening]) -> list[int]:
        """The numbers of new rows."""
        first = self.count
        caches: dict[Tensor, list[tuple[int, Parked]]] = {}
        for row, (context, parked, trunk, shared) in enumerate(contexts, first):
            own = 0
            if parked is not None:
                trunk, shared, own = parked.trunk, parked.shared, parked.own
                caches.setdefault(parked.caches, []).append((row, parked))
            self._own[row], self._shared[row], self._latest[row] = own, shared, context[-1]
            self._trunks.append(trunk if shared else None)
            if len(context) - shared - own > 1:
                self._unread[row] = np.array(context[shared + own : -1], dtype=np.int64)
        for cache, members in caches.items():
            slots, places = [row for row, _ in members], [parked.place for _, parked in members]
            self.pool.put(slots, cache, places, max(parked.own for _, parked in members))
        self.count += len(contexts)
        self._changed = True
        self._reach(max(len(context) for context, *_ in contexts) + self.pool.length)
        return [*range(first, self.count)]

    def park(self, rows: Sequence[int], contexts: Sequence[tuple[int, ...]]) -> list[Parked]:
        """Keep what was read of some rows. contexts: their tokens; the last ones may not have been read."""
        if not rows:
            return []
        slots = np.array(rows)
        own, seen = self._own[slots], self._shared[slots]
        caches = self.pool.take(slots, int(own.max()))
        return [
            make_parked(context[:tokens], self._trunks[row], shared, caches, place)
            for place, (row, context, tokens, shared) in enumerate(
                zip(rows, contexts, (own + seen).tolist(), seen.tolist(), strict=True)
            )
        ]

    def trunk(self, tokens: tuple[int, ...]) -> Trunk:
        """Read the beginning of some contexts."""
        self._reach(len(tokens))
        reading = Reading(self.decoder.scale, self.dtype)
        ids = self._to(np.array(tokens, dtype=np.int64))
        positions = torch.arange(len(tokens), device=self._device)
        with self._clock.running():
            for start in range(0, len(tokens), _TOKENS):
                part = slice(start, start + _TOKENS)
                self.decoder(ids[part], positions[part], reading, 0)
        return Trunk(tokens, reading.cache())

    def only(self, rows: Ints) -> Ints:
        """Close all rows but these (ascending); returns which ones they are now. What each reads next stays."""
        unread, latest = self._unread, self._latest[rows]
        moved = self.follow(rows, latest)
        if unread:
            self._unread = {
                int(new): unread[int(old)] for old, new in zip(rows, moved, strict=True) if int(old) in unread
            }
        return moved

    def _reach(self, positions: int) -> None:
        if self.decoder.reach(positions):
            self.forget()

    def forget(self) -> None:
        """What recorded passes read may lie somewhere else now."""
        if self._static is not None:
            self._static.forget()

    def follow(self, parents: Ints, tokens: Ints) -> NDArray[np.int64]:
        """Row `parents[i]` (ascending) goes on with `tokens[i]`; returns which row that is now. Others are closed."""
        kept = len(parents)
        if kept == self.count and (parents == np.arange(kept)).all():
            self._latest[:kept] = tokens
            return parents
        self._changed = True
        first = np.ones(kept, dtype=bool)
        first[1:] = parents[1:] != parents[:-1]
        alive = np.zeros(max(self.count, kept), dtype=bool)
        alive[parents] = True
        moved = np.concatenate([(~first).nonzero()[0], (first & (parents >= kept)).nonzero()[0]])
        rows = parents.copy()
        rows[moved] = (~alive).nonzero()[0][: len(moved)]
        if kept > self.pool.slots:
            self.reserve(kept - self.count, self.pool.length, self._longest, self._most)
        if len(moved):
            sources, targets = parents[moved], rows[moved]
            numbers = self._numbers[:, sources]
            self.pool.copy(sources, targets, int(numbers[0].max()))  # no target is a source
            self._numbers[:, targets] = numbers
        trunks = self._trunks
        self._trunks = [trunks[row] for row in parents[rows.argsort()].tolist()] if any(trunks) else [None] * kept
        self.count = kept
        self._latest[rows] = tokens
        return rows

    # Forward

    def forward(self) -> Tensor:
        """Read every row's tokens; [count, V] float32 logits of what comes after them."""
        if self._static is not None and not self._unread:
            with self._clock.running():
                logits = self._static(self._latest[: self.count], self._own[: self.count])
        else:
            if self._unread:
                self._read_much()
            self._lengthen()
            logits = self._pass(self.count, self._unread)
            if self._unread:
                for row, tokens in self._unread.items():
                    self._own[row] += len(tokens)
                self._unread = {}
        self._own[: self.count] += 1
        return logits.float()

    def _lengthen(self) -> None:
        """Have room for the latest tokens. Few rows become as long as they might."""
        length = (int(self._own[: self.count].max(initial=0)) if self._changed else self._deepest) + 1
        if length > self.pool.length:
            self.reserve(0, min(max(length, self.pool.length * 3 // 2), self._longest), self._longest, self._most)
            self._changed = True

    def _read_much(self) -> None:
        """Leave no more unread than one pass takes."""
        while sum(map(len, self._unread.values())) > _TOKENS:
            some: dict[int, Ints] = {}
            room = _TOKENS
            for row, tokens in [*self._unread.items()]:
                if room > 0:
                    some[row] = tokens[:room]
                    room -= len(some[row])
            for row, tokens in some.items():
                self._unread[row] = self._unread[row][len(tokens) :]
                if not len(self._unread[row]):
                    del self._unread[row]
            self._read_ahead(some)

    def _read_ahead(self, unread: dict[int, Ints]) -> None:
        """Read tokens into slots, whatever comes after them."""
        while unread:
            part = {row: tokens[:_TOKENS] for row, tokens in unread.items()}
            self._pass(0, part)
            for row, tokens in part.items():
                self._own[row] += len(tokens)
            unread = {row: tokens[_TOKENS:] for row, tokens in unread.items() if len(tokens) > _TOKENS}

    def _pass(self, rows: int, unread: dict[int, Ints]) -> Tensor:
        """One forward pass over the latest tokens of the first rows and the tokens that are read before them."""
        place = self._own[:rows]
        ids, seen, row_of, blocks = self._latest[:rows], self._shared[:rows], None, ()
        if unread:
            slots, counts = np.array([*unread]), np.array([len(tokens) for tokens in unread.values()])
            starts = np.cumsum(counts) - counts
            place = place.copy()
            inside = slots < rows
            place[slots[inside]] += counts[inside]
            row_of = np.concatenate([np.arange(rows), np.repeat(slots, counts)])
            rest = np.arange(counts.sum()) + np.repeat(self._own[slots] - starts, counts)
            place = np.concatenate([place, rest])
            ids = np.concatenate([ids, *unread.values()])
            seen = self._shared[row_of]
            blocks = tuple(self._blocks(slots, counts, starts))
        if self._changed or unread:
            self._look(rows, place[:rows], row_of)
            self._changed = bool(unread)
        first = self._first[:rows] if row_of is None else self._first[row_of]
        attending = make_pass(
            self.pool,
            self.decoder.scale,
            rows,
            self._to((first + place[:, None]).reshape(-1)),
            *self._mask(place[:rows]),
            blocks,
            self._branches,
        )
        with self._clock.running():
            return self.decoder(self._to(ids), self._to(place + seen), attending, rows)

    def _look(self, rows: int, own: Ints, row_of: Ints | None) -> None:
        """Lay out anew what follows from pass to pass while every row goes on by a token."""
        self._deepest = int(own.max()) if rows else 0
        self._mask_now = None
        if rows and self._deepest != own.min():
            seen = np.arange(self.pool.length) < own[:, None]
            self._mask_now = np.where(seen, np.float32(0), np.float32(-np.inf))
        self._branches = self._branches_of(np.arange(rows) if row_of is None else row_of)

    def _mask(self, own: Ints) -> tuple[int, Tensor | None]:
        """(tokens of the longest slot, [rows, 1, 1, as many]: 0 for what a row's latest token, at `own`, sees)."""
        if not len(own):
            return 0, None
        self._deepest += 1
        if self._mask_now is None:
            return self._deepest, None
        self._mask_now[np.arange(len(own)), own] = 0
        mask = torch.from_numpy(self._mask_now)[:, None, None, : self._deepest]
        return self._deepest, mask.to(self._device, self.pool.cache.dtype)

    def _added(self, seen: NDArray[Any]) -> Tensor:
        mask = np.where(seen, np.float32(0), np.float32(-np.inf))
        return self._to(mask).to(self.pool.cache.dtype)

    def _blocks(self, slots: Ints, counts: Ints, starts: Ints) -> Any:
        """Rows of about as many tokens side by side."""
        order = np.argsort(-counts, kind="stable")
        begin = 0
        group = self.decoder.heads // self.decoder.key_heads
        while begin < len(order):
            width = int(counts[order[begin]])
            alike = int(np.searchsorted(-counts[order], -(width // 2), side="left"))
            length = int((self._own[slots] + counts)[order[begin:]].max())
            end = max(begin + 1, min(alike, begin + _SCORES // (width * group * length)))
            chosen = np.sort(order[begin:end])
            yield self._block(slots[chosen], counts[chosen], starts[chosen], group)
            begin = end

    def _block(self, slots: Ints, counts: Ints, starts: Ints, group: int) -> Block:
        steps = np.minimum(np.arange(counts.max()), counts[:, None] - 1)  # [r, W]
        tokens = starts[:, None] + steps
        places = np.flatnonzero(np.arange(counts.max()) < counts[:, None])
        last = self._own[slots][:, None] + steps
        seen = np.arange(int(last.max()) + 1) <= np.repeat(last, group, axis=1)[:, :, None]  # [r, W * group, T]
        begin, count = int(slots[0]), len(slots)
        together = (slots == np.arange(begin, begin + count)).all()
        rows = slice(begin, begin + count) if together else self._to(slots)
        return Block(
            rows, self._to(tokens), self._to(places), self._to(tokens.reshape(-1)[places]), self._added(seen)[:, None]
        )

    def _branches_of(self, row_of: Ints) -> tuple[Branch, ...]:
        """The trunks that these tokens see."""
        if not any(self._trunks):
            return ()
        members: dict[tuple[Trunk, int], list[int]] = {}
        for row, trunk in enumerate(self._trunks):
            if trunk is not None:
                members.setdefault((trunk, int(self._shared[row])), []).append(row)
        found = []
        for (trunk, shared), rows in members.items():
            tokens = None if len(rows) == self.count else self._to(np.flatnonzero(np.isin(row_of, rows)))
            if tokens is None or len(tokens):
                found.append(Branch(trunk, shared, tokens))
        return tuple(found)

    def _to(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array)
        return tensor if self._device.type == "cpu" else tensor.to(self._device)
