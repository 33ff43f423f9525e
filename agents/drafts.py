"""Replies in the making, in columns: a few numbers per request, and one reply for all requests that have said the same.

Requests whose prompt and settings are alike differ in their seeds alone. They read one row and share one reply until
their tokens part; what they have in common is kept per row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from turnwise.agents.drawing import Drawn, Ints
from turnwise.agents.engine import Ask, Completion, make_completion
from turnwise.agents.groups import Group, Said
from turnwise.agents.sampling import skip, uniforms

Flags = NDArray[np.bool_]
_AHEAD = 4
"""Draws of a request that are made at once."""


class Step(NamedTuple):
    """What the rows go on as: (row, next token) of every row to be, ascending, and what is known of that token."""

    parents: Ints
    tokens: Ints
    logprobs: NDArray[np.float32]
    entropy: NDArray[np.float32] | None

    def only(self, some: Flags) -> Step:
        """These of them."""
        entropy = None if self.entropy is None else self.entropy[some]
        return Step(self.parents[some], self.tokens[some], self.logprobs[some], entropy)


class Drafts:
    """The requests that are being answered, which row each of them reads, and what has been said in each row."""

    def __init__(self, end_id: int, decode: Callable[[tuple[int, ...]], str]) -> None:
        self._end_id, self._decode = end_id, decode
        self.number = self.row = np.zeros(0, dtype=np.int64)
        """Per request: its number, and its row."""
        self._sessions = np.zeros(0, dtype=object)
        self._streams = np.zeros(0, dtype=np.uint64)
        """Per request: its stream, which begins at the first of the draws below."""
        self._draws = np.zeros((0, 0))
        """[`_AHEAD`, requests], and how many of them are used up."""
        self._used = 0
        self._groups: list[Group] = []
        """Per row: where its requests come from."""
        self._of_rows = np.zeros((5, 0), dtype=np.int64)
        """Per row, and room for more: the tokens said, the most that may be, how many first ones have their entropy
        recorded, whether a text may end it, and the place of its (temperature, top_p) among the names."""
        self._said, self._limit, self._measured, self._stops, self._kind = self._of_rows
        self._ids = np.zeros((0, 0), dtype=np.int64)
        self._logprobs = np.zeros((0, 0), dtype=np.float32)
        self._entropy = np.zeros((0, 0), dtype=np.float32)
        self._names: list[tuple[float, float]] = []
        self.kinds: list[tuple[tuple[float, float], Ints | None]] = []
        """(temperature, top_p), and the rows that are sampled with it; None for all."""

    def __len__(self) -> int:
        return len(self.row)

    def add(self, groups: Sequence[Group]) -> None:
        """Begin replies to these requests, or go on with them, in rows behind those there are."""
        first = len(self._groups)
        self._grow(first + len(groups), groups)
        for row, group in enumerate(groups, first):
            sampling, said = group.ask.sampling, group.said
            name = sampling.temperature, sampling.top_p
            if name not in self._names:
                self._names.append(name)
            self._of_rows[:, row] = (
                *(len(said.ids), sampling.max_tokens, sampling.entropy_tokens, bool(sampling.stop)),
                self._names.index(name),
            )
            self._ids[row, : len(said.ids)] = said.ids
            self._logprobs[row, : len(said.ids)] = said.logprobs
            self._entropy[row, : len(said.entropy)] = said.entropy
        self._groups += groups
        sizes = [len(group) for group in groups]
        self.row = np.concatenate([self.row, np.arange(first, first + len(groups)).repeat(sizes)])
        self.number = np.concatenate([self.number, *[group.numbers for group in groups]])
        self._sessions = np.concatenate([self._sessions, *[group.sessions for group in groups]])
        self._streams = np.concatenate([self._next_streams(), *[group.streams for group in groups]])
        self._draws, self._used = np.zeros((0, len(self.row))), 0
        self._sort()

    def ask(self, row: int) -> Ask:
        """One of the requests of a row."""
        return self._groups[row].ask

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt."""
        return max([len(group.ask.prompt) for group in self._groups], default=0)

    def _grow(self, rows: int, groups: Sequence[Group] = ()) -> None:
        """Have room for so many rows, and for what these may say."""
        longest = max([group.ask.sampling.max_tokens for group in groups], default=0)
        measured = max([min(group.ask.sampling.entropy_tokens, longest) for group in groups], default=0)
        lines = self._of_rows.shape[1]
        if rows <= lines and longest <= self._ids.shape[1] and measured <= self._entropy.shape[1]:
            return
        if rows > lines:
            lines = max(rows, 2 * lines)
        self._of_rows = _grown(self._of_rows, 5, lines)
        self._said, self._limit, self._measured, self._stops, self._kind = self._of_rows
        self._ids, self._logprobs = _grown(self._ids, lines, longest), _grown(self._logprobs, lines, longest)
        self._entropy = _grown(self._entropy, lines, measured)

    def _sort(self) -> None:
        """Know the kinds of the rows."""
        if len(self._names) == 1:
            self.kinds = [(self._names[0], None)]
            return
        kind = self._kind[: len(self._groups)]
        used = np.unique(kind).tolist()
        alone = len(used) == 1
        self.kinds = [(self._names[one], None if alone else np.flatnonzero(kind == one)) for one in used]

    # A token more

    def uniforms(self) -> NDArray[np.float64]:
        """The next draw of each request."""
        if self._used == len(self._draws):
            self._streams = self._next_streams()
            self._draws, self._used = uniforms(self._streams, np.arange(_AHEAD, dtype=np.uint64)[:, None]), 0
        self._used += 1
        draws: NDArray[np.float64] = self._draws[self._used - 1]
        return draws

    def _next_streams(self) -> NDArray[np.uint64]:
        """Streams that begin at the next draw."""
        return skip(self._streams, self._used) if self._used else self._streams

    @property
    def measures(self) -> bool:
        """Whether the entropy of the next token of some row is recorded."""
        return self._entropy.shape[1] > 0 and bool((self._said < self._measured)[: len(self._groups)].any())

    def parted(self, drawn: Drawn, vocabulary: int) -> Step:
        """The rows to be. Until they are there (`follow`), `row` says which one of these a request will read."""
        ordered = np.sort(drawn.places)
        differ = np.ones(len(ordered), dtype=bool)
        np.not_equal(ordered[1:], ordered[:-1], out=differ[1:])
        ordered = ordered[differ]
        self.row = ordered.searchsorted(drawn.places)
        parents, tokens = np.divmod(ordered, vocabulary)
        logprobs = np.empty(len(ordered), dtype=np.float32)
        logprobs[self.row] = drawn.logprobs  # requests of one row that say the same give it the same
        return Step(parents, tokens, logprobs, None if drawn.entropy is None else drawn.entropy[parents])

    def ends(self, step: Step) -> tuple[Flags, Flags]:
        """Of each row to be: whether its reply is over, and whether it ended by itself."""
        finished = step.tokens == self._end_id
        for index in self._stops[step.parents].nonzero()[0].tolist():
            finished[index] |= self._stopped(int(step.parents[index]), int(step.tokens[index]))
        return finished | (self._said[step.parents] + 1 >= self._limit[step.parents]), finished

    def _stopped(self, row: int, token: int) -> bool:
        ask = self._groups[row].ask
        text = self._decode((*ask.begun, *self._ids[row, : self._said[row]].tolist(), token))
        return any(stop in text for stop in ask.sampling.stop)

    def replies(self, step: Step, finished: Flags, version: int) -> list[Completion]:
        """What the rows to be come to; the weights are of this version."""
        rows, said = step.parents, self._said[step.parents]
        each, longest = np.arange(len(rows)), int(said.max()) + 1
        ids, logprobs = self._ids[rows, :longest], self._logprobs[rows, :longest]
        ids[each, said], logprobs[each, said] = step.tokens, step.logprobs
        found = []
        for index, (row, length, tokens, nats, ended) in enumerate(
            zip(rows.tolist(), (said + 1).tolist(), ids.tolist(), logprobs.tolist(), finished.tolist(), strict=True)
        ):
            group, entropy = self._groups[row], None
            if group.ask.sampling.entropy_tokens:
                entropy = self._measures(row, None if step.entropy is None else float(step.entropy[index]))
            before = group.said
            versions = (*before.versions, (len(before.ids), version)) if before.versions else ()
            found.append(make_completion(tuple(tokens[:length]), tuple(nats[:length]), ended, entropy, versions))
        return found

    def _measures(self, row: int, latest: float | None = None) -> tuple[float, ...]:
        """Entropies of what a row has said, and of a token more."""
        said, most = int(self._said[row]), int(self._measured[row])
        found = self._entropy[row, : min(said, most)].tolist()
        return (*found, latest) if latest is not None and said < most else (*found,)

    def leave(self, over: Flags) -> tuple[list[int], list[str | None], list[int]]:
        """Let the requests go whose rows to be are over: numbers, sessions, and which of those rows each one had."""
        ends, rank = over[self.row], over.cumsum()
        which = rank[self.row[ends]] - 1
        gone = self.number[ends].tolist(), self._sessions[ends].tolist(), which.tolist()
        self.keep(~ends)
        self.row = self.row - rank[self.row]
        return gone

    def keep(self, going: Flags) -> None:
        """Let go of the other requests."""
        self.number, self.row, self._sessions = self.number[going], self.row[going], self._sessions[going]
        self._streams, self._draws = self._streams[going], self._draws[:, going]

    def follow(self, parents: Ints, rows: Ints, step: Step | None = None) -> None:
        """Row `parents[i]`, with what it says, is row `rows[i]` from now on; there are no others."""
        self.row = rows[self.row]
        if parents is not rows:
            self._move(parents, rows)
        if step is not None:
            said = self._said[rows]
            self._ids[rows, said], self._logprobs[rows, said] = step.tokens, step.logprobs
            if step.entropy is not None:
                some = said < self._measured[rows]
                self._entropy[rows[some], said[some]] = step.entropy[some]
            self._said[rows] = said + 1

    def _move(self, parents: Ints, rows: Ints) -> None:
        moved = (parents != rows).nonzero()[0]
        if len(moved):
            self._grow(len(rows))
            sources, targets = parents[moved], rows[moved]
            self._of_rows[:, targets] = self._of_rows[:, sources]
            for table in (self._ids, self._logprobs, self._entropy):
                if table.shape[1]:
                    table[targets] = table[sources]
        groups = self._groups
        self._groups = [groups[row] for row in parents[rows.argsort()].tolist()]
        self._sort()

    def interrupted(self, version: int) -> list[Group]:
        """The requests, with what has been said; the weights were of this version."""
        found, streams = [], self._next_streams()
        for row, group in enumerate(self._groups):
            length, before, members = int(self._said[row]), group.said, self.row == row
            ids, logprobs = self._ids[row, :length].tolist(), self._logprobs[row, :length].tolist()
            versions = (*before.versions, (len(before.ids), version))
            said = Said(tuple(ids), tuple(logprobs), self._measures(row), versions)
            own = self.number[members], self._sessions[members], streams[members]
            found.append(Group(group.ask, group.ask.prompt + said.ids, *own, said))
        return found


def _grown(table: NDArray[Any], lines: int, width: int) -> NDArray[Any]:
    grown = np.zeros((lines, max(width, table.shape[1])), dtype=table.dtype)
    grown[: len(table), : table.shape[1]] = table
    return grown
