"""Episodes as the rows that a policy is trained on, and what is known of the tokens that it wrote there.

A row is one stretch of tokens in which the policy spoke once or more. A turn whose prompt is an earlier row plus
nothing but text that was appended goes on in that row, so an append-only conversation is one row however many turns it
has; any other turn starts a row of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from turnwise.algorithms.credit.episodes import Advantage, TurnCredit
from turnwise.records import Episode, Turn

Ints = np.ndarray[Any, np.dtype[np.integer[Any]]]
DEMONSTRATION = "demonstration"
"""Key of an episode's metadata: its learner's turns are an example to imitate."""


class Row(NamedTuple):
    """Tokens to forward, and where in them the policy spoke."""

    ids: tuple[int, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    """[start, end) of each completion."""

    def then(self, prompt: tuple[int, ...], completion: tuple[int, ...]) -> Row:
        """With one more turn. `prompt`: the row and what was appended to it; raises ValueError if it is empty."""
        if not prompt:
            raise ValueError("a trained turn needs the prompt_ids that its first token was sampled from: got none")
        start = len(prompt)
        return Row(prompt + completion, (*self.spans, (start, start + len(completion))))

    def continued_by(self, prompt: tuple[int, ...]) -> bool:
        """Whether a prompt is this row with text appended."""
        size = len(self.ids)
        return len(prompt) > size and prompt[:size] == self.ids


NOTHING = Row()


@dataclass(slots=True)
class Samples:
    """N samples, column by column, and the K turns that they are made of. Each distinct row is there once.

    A sample is one seat's share of one episode in one row.
    """

    rows: list[Row] = field(default_factory=list)
    """Distinct ones. One that was gone on from in every episode has no sample."""
    row: list[int] = field(default_factory=list)
    """[N] which of the rows."""
    returned: list[float] = field(default_factory=list)
    """[N] what the sample's seat got in its episode."""
    demonstrated: list[bool] = field(default_factory=list)
    """[N] whether it is somebody else's example."""
    turns: list[Turn] = field(default_factory=list)
    """[K]"""
    sample: list[int] = field(default_factory=list)
    """[K] which of the samples a turn is part of."""
    credit: list[Advantage] = field(default_factory=list)
    """[K] never None."""
    targets: list[Advantage] = field(default_factory=list)
    """[K]"""

    def in_batch_order(self) -> Order:
        """How they stand in a batch."""
        used = sorted(set(self.row), key=self.rows.__getitem__)
        rank = np.zeros(len(self.rows), dtype=np.int64)
        rank[used] = np.arange(len(used))
        sample_rank = rank[self.row]
        samples = sample_rank.argsort(kind="stable")
        turns = samples
        if len(self.turns) > len(samples):  # else each sample is a turn
            place = np.empty_like(samples)
            place[samples] = np.arange(len(samples))
            turns = place[self.sample].argsort(kind="stable")
        return Order([self.rows[number] for number in used], sample_rank[samples], samples, turns)


class Order(NamedTuple):
    """Samples, and their turns, in the order of a batch: by row, and in their own order where that is the same."""

    rows: list[Row]
    """[R] that have samples, in lexicographic order."""
    sample_row: Ints
    """[N] row of each sample, ascending."""
    samples: Ints
    """[N] which sample stands there."""
    turns: Ints
    """[K] which turn; those of one sample one after the other."""


class Sample:
    """One sample apart from its batch, or in the making."""

    __slots__ = ("credit", "demonstrated", "returned", "row", "targets", "turns")

    def __init__(self, returned: float = 0.0, demonstrated: bool = False) -> None:
        """`returned`: what the seat got in the episode."""
        self.row, self.returned, self.demonstrated = NOTHING, returned, demonstrated
        self.turns: list[Turn] = []
        self.credit: list[Advantage] = []
        self.targets: list[Advantage] = []

    @property
    def ids(self) -> tuple[int, ...]:
        """Of the row."""
        return self.row.ids

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Of the row."""
        return self.row.spans

    def add(
        self,
        prompt: tuple[int, ...],
        completion: tuple[int, ...],
        logprobs: Sequence[float],
        advantage: Advantage,
        target: Advantage = None,
        **known: Any,
    ) -> None:
        """Append a turn. `prompt`: the row so far and what was appended to it. known: further fields of a `Turn`."""
        said = {"prompt_ids": prompt, "completion_ids": completion, "logprobs": tuple(logprobs), **known}
        self.row = self.row.then(prompt, completion)
        self.turns.append(Turn(seat="", observation=(), text="", **said))
        self.credit.append(advantage)
        self.targets.append(target)


def gather(episodes: Sequence[Episode], advantages: TurnCredit, targets: TurnCredit | None = None) -> Samples:
    """The samples of every trained turn. `advantages`, `targets`: laid out as the turns; a turn whose advantage is None
    is not trained."""
    found = Samples()
    rows, row, returned = _Rows(found.rows), found.row, found.returned
    turns, sample, credit = found.turns, found.sample, found.credit
    shown: list[range] = []
    for episode, of_turns in zip(episodes, advantages, strict=True):
        latest: dict[str, int] = {}
        returns, first = episode.returns, len(row)
        for turn, advantage in zip(episode.turns, of_turns, strict=True):
            completion = turn.completion_ids
            if advantage is None or not completion:
                continue
            seat = turn.seat
            number = latest.get(seat)
            after, goes_on = rows[None if number is None else row[number], turn.prompt_ids, completion]
            if number is None or not goes_on:
                latest[seat] = number = len(row)
                row.append(after)
                returned.append(returns[seat])
            else:
                row[number] = after
            turns.append(turn)
            sample.append(number)
            credit.append(advantage)
        if episode.metadata and episode.metadata.get(DEMONSTRATION):
            shown.append(range(first, len(row)))
    found.demonstrated += [False] * len(row)
    for number in chain.from_iterable(shown):
        found.demonstrated[number] = True
    if targets is not None:
        columns = zip(episodes, advantages, targets, strict=True)
        found.targets += [target for columns_of in columns for target in _of_trained(*columns_of)]
    return found


def _of_trained(episode: Episode, advantages: Sequence[Advantage], targets: Sequence[Advantage]) -> list[Advantage]:
    entries = zip(episode.turns, advantages, targets, strict=True)
    return [target for turn, advantage, target in entries if advantage is not None and turn.completion_ids]


class _Rows(dict[tuple[int | None, tuple[int, ...], tuple[int, ...]], tuple[int, bool]]):
    """(number of its seat's row before it or None, prompt, completion) of a turn -> (number of the row with it, whether
    it goes on in that row). Turns that are alike are looked at once."""

    def __init__(self, rows: list[Row]) -> None:
        """`rows`: those that are found are added to them."""
        super().__init__()
        self._rows, self._numbers = rows, dict[Row, int]()

    def __missing__(self, key: tuple[int | None, tuple[int, ...], tuple[int, ...]]) -> tuple[int, bool]:
        number, prompt, completion = key
        before = NOTHING if number is None else self._rows[number]
        goes_on = number is not None and before.continued_by(prompt)
        row = (before if goes_on else NOTHING).then(prompt, completion)
        after = self._numbers.setdefault(row, len(self._rows))
        if after == len(self._rows):
            self._rows.append(row)
        self[key] = after, goes_on
        return after, goes_on


def together(samples: Sequence[Sample]) -> Samples:
    """The same samples, column by column."""
    numbers: dict[Row, int] = {}
    row = [numbers.setdefault(sample.row, len(numbers)) for sample in samples]
    return Samples(
        rows=list(numbers),
        row=row,
        returned=[sample.returned for sample in samples],
        demonstrated=[sample.demonstrated for sample in samples],
        turns=[turn for sample in samples for turn in sample.turns],
        sample=[number for number, sample in enumerate(samples) for _ in sample.turns],
        credit=[advantage for sample in samples for advantage in sample.credit],
        targets=[target for sample in samples for target in sample.targets],
    )


def samples_of(
    episode: Episode, advantages: Sequence[Advantage], targets: Sequence[Advantage] | None = None
) -> list[Sample]:
    """The samples of one episode, each by itself."""
    columns = gather([episode], [list(advantages)], None if targets is None else [list(targets)])
    found = [Sample(*of_sample) for of_sample in zip(columns.returned, columns.demonstrated, strict=True)]
    for sample, number in zip(found, columns.row, strict=True):
        sample.row = columns.rows[number]
    for place, number in enumerate(columns.sample):
        found[number].turns.append(columns.turns[place])
        found[number].credit.append(columns.credit[place])
        found[number].targets.append(columns.targets[place] if targets is not None else None)
    return found
