"""All that one seat wrote in one episode as one row of entries, tokens or turns, and back again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain as end_to_end
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from turnwise.algorithms.credit.annotations import of_tokens, of_turn
from turnwise.algorithms.credit.episodes import TurnCredit, is_trained, learner_seats, rewards_of_seat
from turnwise.algorithms.credit.groups import Floats
from turnwise.records import Episode

PER = ("token", "turn")


class Chain(NamedTuple):
    """The trained turns of one seat in one episode, end to end.

    What others said in between is not part of it: the last token of a turn is followed by the first of the next.
    """

    place: int
    """Index of the episode in the batch."""
    episode: Episode
    seat: str
    per: str
    """What an entry is: a `token` or a `turn`."""
    turns: list[int]
    """Indices of the trained turns."""
    rewards: list[float]
    """[L] of each entry, in task units; with tokens, a turn's reward lies on its last one."""

    def lengths(self) -> list[int]:
        """Entries of each turn."""
        return [len(self.episode.turns[index].completion_ids) if self.per == "token" else 1 for index in self.turns]

    def column(self, name: str) -> list[float]:
        """[L] field `name` of the turns, of their tokens with `per` token. Raises ValueError where it is missing."""
        if self.per == "turn":
            return [float(of_turn(self.episode, index, name)) for index in self.turns]
        return list(end_to_end.from_iterable(of_tokens(self.episode, index, name) for index in self.turns))


def chains(episodes: Sequence[Episode], learner: str, per: str) -> Iterator[Chain]:
    """One chain for each seat of the learning agent that left tokens in a finished episode, in batch order.

    A turn without tokens is no entry: its reward counts at the trained turn before it. What came before the first
    trained turn is nobody's doing and is left out.
    """
    for place, episode in enumerate(episodes):
        for seat in learner_seats(episode, learner):
            turns, rewards = _trained(episode, seat, learner)
            if turns:
                yield _chain(place, episode, seat, per, turns, rewards)


def put(table: TurnCredit, chain: Chain, values: Sequence[float]) -> None:
    """Write [L] floats, or more, back to the turns of the chain: a tuple per turn with tokens, else a float."""
    start = 0
    for index, length in zip(chain.turns, chain.lengths(), strict=True):
        piece = tuple(values[start : start + length])
        table[chain.place][index] = piece if chain.per == "token" else piece[0]
        start += length


def padded(rows: Sequence[Sequence[float]]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """[R, L] float64, 0 after the end of a shorter row; and the bool mask of what is in a row."""
    lengths = np.array([len(row) for row in rows], dtype=np.intp)
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
    table = np.zeros(mask.shape)
    table[mask] = np.array(list(end_to_end.from_iterable(rows)), dtype=np.float64)
    return table, mask


def untrained(episodes: Sequence[Episode]) -> TurnCredit:
    """A table in which no turn is trained yet."""
    return [[None] * len(episode.turns) for episode in episodes]


def _trained(episode: Episode, seat: str, learner: str) -> tuple[list[int], list[float]]:
    turns: list[int] = []
    earned: list[float] = []
    for index, reward in zip(*rewards_of_seat(episode, seat), strict=True):
        if is_trained(episode, episode.turns[index], learner):
            turns.append(index)
            earned.append(reward)
        elif turns:
            earned[-1] += reward
    return turns, earned


def _chain(place: int, episode: Episode, seat: str, per: str, turns: list[int], rewards: list[float]) -> Chain:
    if per == "token":
        of_turns, rewards = rewards, []
        for index, reward in zip(turns, of_turns, strict=True):
            rewards += [0.0] * (len(episode.turns[index].completion_ids) - 1)
            rewards.append(reward)
    return Chain(place, episode, seat, per, turns, rewards)
