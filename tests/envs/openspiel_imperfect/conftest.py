"""How the tests of one game get to the position they are about."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from turnwise.envs.openspiel import OpenSpielGame

Reach = Callable[..., OpenSpielGame]


@pytest.fixture
def reach() -> Reach:
    """(game, steps...) -> the game after them: a name is a move of the seat to act, a number an outcome of chance."""

    def reach(game: OpenSpielGame, *steps: int | str) -> OpenSpielGame:
        if game.seat is None and not hasattr(game, "_moves"):
            game.begin()
        for step in steps:
            game.apply(game.action_id(step) if isinstance(step, str) else step)
        return game

    return reach
