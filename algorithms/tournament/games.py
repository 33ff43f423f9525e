"""Games between named players as arrays: one layer per deal, so that deals can be drawn again."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """One finished game of two players."""

    first: str
    second: str
    deal: str
    """Games of one deal had the same chance; they are drawn together where intervals are made."""
    first_return: float
    """In task units."""
    second_return: float

    @property
    def score(self) -> float:
        """Of the first player: 1 for the higher return, 1/2 for equal ones, else 0."""
        return 0.5 * (1 + (self.first_return > self.second_return) - (self.first_return < self.second_return))


@dataclass(frozen=True, slots=True)
class Record:
    """All games of some players, deal by deal. n players, D deals."""

    names: tuple[str, ...]
    wins: Array
    """[D, n, n]: how often the row player had the higher return."""
    draws: Array
    """[D, n, n], symmetric."""
    paid: Array
    """[D, n, n]: sum of the row player's returns, in task units."""

    @property
    def games(self) -> Array:
        """[D, n, n], symmetric: games played."""
        return self.wins + self.wins.transpose(0, 2, 1) + self.draws

    def weights(self, rng: np.random.Generator, samples: int) -> Array:
        """[samples, D]: how often each deal is in each sample, when as many as there are are drawn again."""
        deals = len(self.wins)
        return rng.multinomial(deals, np.full(deals, 1 / deals), size=samples).astype(np.float64)


def record(games: Iterable[Game], names: Sequence[str]) -> Record:
    """The arrays of these games. Raises ValueError on a player that is not named, or without a game."""
    listed = list(games)
    if not listed:
        raise ValueError("ratings need at least one game: got none")
    place = {name: index for index, name in enumerate(names)}
    deals = {deal: index for index, deal in enumerate(sorted({game.deal for game in listed}))}
    wins, draws, paid = np.zeros((3, len(deals), len(names), len(names)))
    for game in listed:
        if game.first not in place or game.second not in place:
            raise ValueError(f"games are between {', '.join(names)}: got {game.first} against {game.second}")
        deal, row, column = deals[game.deal], place[game.first], place[game.second]
        paid[deal, row, column] += game.first_return
        paid[deal, column, row] += game.second_return
        if game.first_return == game.second_return:
            draws[deal, row, column] += 1
            draws[deal, column, row] += 1
        elif game.first_return > game.second_return:
            wins[deal, row, column] += 1
        else:
            wins[deal, column, row] += 1
    return Record(tuple(names), wins, draws, paid)


def ends(samples: Array) -> tuple[Array, Array]:
    """(2.5%, 97.5%) quantiles over the first axis; entries that are NaN are left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of what is NaN in all samples
        low, high = np.nanquantile(samples, (0.025, 0.975), axis=0)
    return low, high
