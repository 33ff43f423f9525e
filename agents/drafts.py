"""Replies in the making: one entry per request, in columns, so that a step costs the same for few and for many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnwise.agents.drawing import Drawn, Ints
from turnwise.agents.engine import Ask, Completion, make_completion
from turnwise.agents.sampling import skip, uniforms
from turnwise.quick import quick

Flags = NDArray[np.bool_]


@dataclass(slots=True, eq=False)
class Asked:
    """A request, and what has been sampled of its reply before it was interrupted."""

    number: int
    ask: Ask
    context: tuple[int, ...]
    """The prompt and what has been sampled."""
    ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    entropy: tuple[float, ...] = ()
    versions: tuple[tuple[int, int], ...] = ()
    """(first token, version of the weights) per span that is over."""


make_asked = quick(Asked)


class Drafts:
    """The requests that are being answered, and which row each of them reads."""

    def __init__(self, end_id: int, decode: Callable[[tuple[int, ...]], str]) -> None:
        self._end_id, self._decode = end_id, decode
        self.asked: list[Asked] = []
        self.row = self._said = self._limit = self._place = np.zeros(0, dtype=np.int64)
        """Per request: its row, the tokens said, the most it may say, and its line in the tables below."""
        self._seeds = np.zeros(0, dtype=np.uint64)
        """Streams that begin at the next draw."""
        self._measured = np.zeros(0, dtype=np.int64)
        """First tokens whose entropy is recorded."""
        self._ids = np.zeros((0, 0), dtype=np.int64)
        self._logprobs = np.zeros((0, 0), dtype=np.float32)
        self._entropy = np.zeros((0, 0), dtype=np.float32)
        self._free: list[int] = []
        self._names: list[tuple[float, float]] = []
        self._kind = np.zeros(0, dtype=np.int64)
        """Per request: the place of its (temperature, top_p) among the names."""
        self._stops = np.zeros(0, dtype=bool)
        """Per request: whether a text may end it."""
        self._resumed = np.zeros(0, dtype=bool)
        """Per request: whether some of it was said before it came to its row."""
        self.kinds: list[tuple[tuple[float, float], Ints | None]] = []
        """(temperature, top_p), and who is sampled with it; None for all."""

    def __len__(self) -> int:
        return len(self.asked)

    def add(self, asked: Sequence[Asked], rows: Sequence[int]) -> None:
        """Begin replies to these requests, or go on with them."""
        said = np.array([len(one.ids) for one in asked], dtype=np.int64)
        begun = np.array([len(one.ask.begun) for one in asked], dtype=np.int64)
        seeds = np.array([one.ask.seed & 0xFFFFFFFFFFFFFFFF for one in asked], dtype=np.uint64)
        limit, measured, stops, kind = self._settings_of(asked)
        place = self._places(len(asked), int(limit.max()), int(min(measured.max(), limit.max())))
        for index in np.flatnonzero(said).tolist():
            line, one = place[index], asked[index]
            self._ids[line, : len(one.ids)] = one.ids
            self._logprobs[line, : len(one.ids)] = one.logprobs
            self._entropy[line, : len(one.entropy)] = one.entropy
        self.row = np.concatenate([self.row, np.array(rows, dtype=np.int64)])
        self._said = np.concatenate([self._said, said])
        self._limit = np.concatenate([self._limit, limit])
        self._place = np.concatenate([self._place, np.array(place, dtype=np.int64)])
        self._seeds = np.concatenate([self._seeds, skip(seeds, (said + begun).astype(np.uint64))])
        self._measured = np.concatenate([self._measured, measured])
        self._stops = np.concatenate([self._stops, stops.astype(bool)])
        self._kind = np.concatenate([self._kind, kind])
        self._resumed = np.concatenate([self._resumed, said > 0])
        self.asked += asked
        self._sort()

    def _settings_of(self, asked: Sequence[Asked]) -> Ints:
        """[4, requests]: the most it may say, tokens measured, whether a text may end it, and its kind."""
        settings = [one.ask.sampling for one in asked]
        if settings.count(settings[0]) == len(settings):
            settings = settings[:1]
        names = [(each.temperature, each.top_p) for each in settings]
        self._names += [name for name in dict.fromkeys(names) if name not in self._names]
        rows = [
            (each.max_tokens, each.entropy_tokens, bool(each.stop), self._names.index(name))
            for each, name in zip(settings, names, strict=True)
        ]
        return np.broadcast_to(np.array(rows, dtype=np.int64), (len(asked), 4)).T

    def _places(self, count: int, longest: int, measured: int) -> list[int]:
        """Lines of the tables, which are made larger where need be."""
        lines, missing = len(self._ids), count - len(self._free)
        if missing > 0 or longest > self._ids.shape[1] or measured > self._entropy.shape[1]:
            more = max(missing, lines) if missing > 0 else 0
            self._free += range(lines, lines + more)
            self._ids = _grown(self._ids, lines + more, longest)
            self._logprobs = _grown(self._logprobs, lines + more, longest)
            self._entropy = _grown(self._entropy, lines + more, measured)
        taken = self._free[len(self._free) - count :]
        del self._free[len(self._free) - count :]
        return taken

    def _sort(self) -> None:
        if len(self._names) == 1:
            self.kinds = [(self._names[0], None)]
            return
        kinds = np.unique(self._kind)
        alone = len(kinds) == 1
        self.kinds = [(self._names[kind], None if alone else np.flatnonzero(self._kind == kind)) for kind in kinds]

    def uniforms(self) -> NDArray[np.float64]:
        """The next draw of each request."""
        draws = uniforms(self._seeds, 0)
        self._seeds = skip(self._seeds, np.ones(1, dtype=np.uint64))
        return draws

    @property
    def measures(self) -> bool:
        """Whether the entropy of the next token of some request is recorded."""
        return bool((self._said < self._measured).any())

    def take(self, drawn: Drawn) -> tuple[Flags, Flags]:
        """Append a token to each reply: (which are over, which of them ended by themselves)."""
        place, said = self._place, self._said
        self._ids[place, said] = drawn.tokens
        self._logprobs[place, said] = drawn.logprobs
        if drawn.entropy is not None:
            some = said < self._measured
            self._entropy[place[some], said[some]] = drawn.entropy[some]
        self._said = said + 1
        finished = drawn.tokens == self._end_id
        for index in np.flatnonzero(self._stops).tolist():
            finished[index] |= self._stopped(index)
        return finished | (self._said >= self._limit), finished

    def _stopped(self, index: int) -> bool:
        ask = self.asked[index].ask
        text = self._decode((*ask.begun, *self.ids(index)))
        return any(stop in text for stop in ask.sampling.stop)

    def ids(self, index: int) -> tuple[int, ...]:
        """What has been said."""
        return tuple(self._ids[self._place[index], : self._said[index]].tolist())

    def completions(self, chosen: Ints, finished: Flags) -> list[Completion]:
        """These replies as they are. Their versions are those before the weights of now.

        Requests that came to a row together and have said the same share one.
        """
        first, which = self._distinct(chosen, finished)
        found = self._written(chosen[first], finished)
        return [found[index] for index in which.tolist()]

    def _distinct(self, chosen: Ints, finished: Flags) -> tuple[Ints, Ints]:
        """Places among the chosen of replies that differ, and which of them each one is."""
        every = np.arange(len(chosen))
        measured = self._measured[chosen]
        if len(self.kinds) > 1 or (measured != measured[0]).any():
            return every, every
        token = self._ids[self._place[chosen], self._said[chosen] - 1]
        key = (self.row[chosen] << 33) | (token << 1) | finished[chosen]
        _, first, which = np.unique(
            np.where(self._resumed[chosen], -1 - every, key), return_index=True, return_inverse=True
        )
        return first, which

    def _written(self, chosen: Ints, finished: Flags) -> list[Completion]:
        place, said = self._place[chosen], self._said[chosen].tolist()
        most = max(said)
        ids, logprobs = self._ids[place, :most].tolist(), self._logprobs[place, :most].tolist()
        asked = [self.asked[index] for index in chosen.tolist()]
        entropies: list[tuple[float, ...] | None] = [None] * len(asked)
        if (measured := self._measured[chosen]).any():
            table, lengths = self._entropy[place].tolist(), np.minimum(measured, said).tolist()
            entropies = [
                tuple(row[:length]) if one.ask.sampling.entropy_tokens else None
                for one, row, length in zip(asked, table, lengths, strict=True)
            ]
        return [
            make_completion(tuple(tokens[:length]), tuple(nats[:length]), ended, entropy, one.versions)
            for one, tokens, nats, length, ended, entropy in zip(
                asked, ids, logprobs, said, finished[chosen].tolist(), entropies, strict=True
            )
        ]

    def interrupted(self, version: int) -> list[Asked]:
        """All requests, with what has been said; the weights were of this version."""
        if not self.asked:
            return []
        replies = self.completions(np.arange(len(self)), np.zeros(len(self), dtype=bool))
        for one, reply in zip(self.asked, replies, strict=True):
            one.versions = (*one.versions, (len(one.ids), version))
            one.ids, one.logprobs, one.entropy = reply.ids, reply.logprobs, reply.topk_entropy or ()
            one.context = one.ask.prompt + one.ids
        return self.asked

    def keep(self, going: Flags) -> None:
        """Let go of the others."""
        self._free += self._place[~going].tolist()
        self.asked = [one for one, goes in zip(self.asked, going.tolist(), strict=True) if goes]
        self.row, self._said, self._limit, self._place = (
            column[going] for column in (self.row, self._said, self._limit, self._place)
        )
        self._seeds, self._measured = self._seeds[going], self._measured[going]
        self._kind, self._stops, self._resumed = self._kind[going], self._stops[going], self._resumed[going]
        self._sort()


def _grown(table: NDArray[Any], lines: int, width: int) -> NDArray[Any]:
    grown = np.zeros((lines, max(width, table.shape[1])), dtype=table.dtype)
    grown[: len(table), : table.shape[1]] = table
    return grown
