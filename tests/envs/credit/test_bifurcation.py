"""Bifurcation: the sign, the fork that decides, and those that do not."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from turnwise.envs.core import IllegalAction
from turnwise.envs.credit.bifurcation import LEVELS, Bifurcation


def at(decisive: int, right: str, **kwargs: object) -> Bifurcation:
    game = Bifurcation(**kwargs)  # type: ignore[arg-type]
    game.start(np.random.default_rng(0))
    game._decisive, game._right = decisive, right
    return game


def test_a_road_by_hand() -> None:
    game = at(2, "east", turns=3)
    assert game.ground_truth() == "east"
    assert game.solution() == ("north", "east", "north")
    assert game.play("east") == ({"player_0": 0.0}, False, False, {})
    assert game.observe("player_0") == "You went east. Fork 2 of 3. A sign points east. Ways: [north], [east]."
    assert game.anchor() == "2/3/2 fork 2 sign east"
    twin = game.clone()
    assert twin.play("north").rewards == {"player_0": 0.0}
    assert (twin.anchor(), game.anchor()) == ("3/3/2 fork 2 wrong", "2/3/2 fork 2 sign east")
    assert twin.play("east") == ({"player_0": 0.0}, True, False, {})
    game.play("east")
    assert game.board("player_0") == (
        "The fork that decides is fork 2. You went east there; the sign pointed east. Fork 3 of 3. "
        "Ways: [north], [east]."
    )
    assert game.play("north") == ({"player_0": 1.0}, True, False, {})
    assert game.observe("player_0") == (
        "You went north. The road ends. You went the right way at the fork that decided."
    )
    with pytest.raises(IllegalAction, match="the game is over"):
        game.play("north")


def test_the_rules_tell_which_fork_decides_and_not_the_way() -> None:
    game = at(4, "east")
    game.start(np.random.default_rng(1))
    text = game.observe("player_0")
    assert f"Fork {game._decisive} decides" in text
    assert ("points" in text.splitlines()[-1]) == (game._decisive == 1)


@pytest.mark.parametrize("dense", [False, True])
def test_only_the_fork_that_decides_matters(dense: bool) -> None:
    for ways in product(("north", "east"), repeat=3):
        game = at(2, "east", turns=3, dense=dense)
        rewards = [game.play(way).rewards["player_0"] for way in ways]
        won = float(ways[1] == "east")
        assert rewards == ([0.0, won, 0.0] if dense else [0.0, 0.0, won])


def test_what_is_done_at_other_forks_leaves_the_anchor() -> None:
    games = [at(2, "east") for _ in range(2)]
    for game, way in zip(games, ("north", "east"), strict=True):
        game.play(way)
    assert games[0].anchor() == games[1].anchor()


def test_compact_words() -> None:
    game = at(2, "east", turns=2, prompt="compact")
    assert game.observe("player_0") == "at 1 of 2 fork 2"
    game.play("north")
    assert game.observe("player_0") == "at 2 of 2 fork 2 sign east"
    game.play("north")
    assert game.observe("player_0") == "over lost"


def test_the_fork_and_the_way_are_drawn_uniformly() -> None:
    game, rng = Bifurcation(level="medium"), np.random.default_rng(0)
    drawn = []
    for _ in range(1800):
        game.start(rng)
        drawn.append((game._decisive, game._right))
    assert len(set(drawn)) == LEVELS["medium"].turns * LEVELS["medium"].ways
    assert all(60 < drawn.count(one) < 140 for one in set(drawn))
