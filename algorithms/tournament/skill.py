"""TrueSkill-like ratings, one game after the other, by openskill's Plackett-Luce model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from turnwise.algorithms.evaluation.intervals import NORMAL_95
from turnwise.algorithms.tournament.games import Array, Game


@dataclass(frozen=True, slots=True)
class Skill:
    """[n] each. A new player has mean 25 and deviation 25/3."""

    mean: Array
    deviation: Array

    @property
    def low(self) -> Array:
        """Lower end of the 95% interval that the model itself gives."""
        return self.mean - NORMAL_95 * self.deviation

    @property
    def high(self) -> Array:
        """Upper end of it."""
        return self.mean + NORMAL_95 * self.deviation


def skill(games: Iterable[Game], names: Sequence[str]) -> Skill:
    """The ratings after all games, taken deal by deal in an order that does not depend on that of the names or games.

    Raises ModuleNotFoundError, saying what to install, without openskill.
    """
    try:
        from openskill.models import PlackettLuce
    except ModuleNotFoundError:
        raise ModuleNotFoundError('ratings by openskill need it: pip install "turnwise[train]"') from None
    model = PlackettLuce()
    ratings = {name: model.rating(name=name) for name in names}
    for game in sorted(map(_sorted, games), key=lambda game: (game.deal, game.first, game.second, game.first_return)):
        ranks = [1.0 - game.score, game.score]
        pair = [[ratings[game.first]], [ratings[game.second]]]
        (ratings[game.first],), (ratings[game.second],) = model.rate(pair, ranks=ranks)
    return Skill(np.array([ratings[name].mu for name in names]), np.array([ratings[name].sigma for name in names]))


def _sorted(game: Game) -> Game:
    """The game with its players in the order of the alphabet."""
    if game.first <= game.second:
        return game
    return Game(
        first=game.second,
        second=game.first,
        deal=game.deal,
        first_return=game.second_return,
        second_return=game.first_return,
    )
