"""The kitchen as a game: who sees what when, rewards, and that soup can be served everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from turnwise.envs.core import IllegalAction
from turnwise.envs.kitchen.game import KitchenGame
from turnwise.envs.kitchen.greedy import greedy_action
from turnwise.envs.kitchen.layouts import DRAWINGS
from turnwise.envs.kitchen.rules import SOUP, Cook, Pot


def started(seed: int = 0, **kwargs: object) -> KitchenGame:
    game = KitchenGame(**kwargs)  # type: ignore[arg-type]
    game.start(np.random.default_rng(seed))
    return game


@pytest.mark.parametrize("players", [2, 3, 4])
@pytest.mark.parametrize("layout", DRAWINGS)
def test_soup_can_be_served_everywhere_by_any_number_of_cooks(layout: str, players: int) -> None:
    for seed in range(3):
        game, rng = started(seed, layout=layout, players=players, ticks=150), np.random.default_rng(seed)
        returns = dict.fromkeys(game.seats, 0.0)
        while game.seat is not None:
            for seat, reward in game.play(greedy_action(game, rng)).rewards.items():
                returns[seat] += reward
        assert len(set(returns.values())) == 1
        assert game.utility_bounds[1] > returns["player_0"] >= 20
    with pytest.raises(ValueError, match="needs a running game"):
        greedy_action(game, rng)


def test_nobody_sees_the_others_choices_of_the_same_tick() -> None:
    for prompt in ("full", "compact"):
        for action in ("north", "interact", "stay"):
            game, twin = started(players=3, prompt=prompt), started(players=3, prompt=prompt)
            assert game.play(action) == ({}, False, False, {})
            twin.play("south")
            assert game.seat == twin.seat == "player_1"
            assert game.observe("player_1") == twin.observe("player_1")
            assert (game.anchor(), game.board("player_1")) == (twin.anchor(), twin.board("player_1"))


def test_a_soup_pays_every_cook() -> None:
    game = started(players=3)
    corner = [Cook((1, 1), "north"), Cook((2, 1), "north")]
    game._kitchen = game._kitchen._replace(cooks=(Cook((1, 4), "east", SOUP), *corner))
    game.play("interact")
    game.play("stay")
    step = game.play("stay")
    assert step.rewards == {"player_0": 20.0, "player_1": 20.0, "player_2": 20.0}
    assert step.info == {"soups": 1, "filled": 0, "taken": 0, "served": 1}
    assert "Last tick: player_0 interact, player_1 stay, player_2 stay. Soups served: 1. Points so far: 20." in (
        game.observe("player_2")
    )


@pytest.mark.parametrize(("shaped", "points"), [(False, 0.0), (True, 8.0)])
def test_shaped_rewards(shaped: bool, points: float) -> None:
    game = started(shaped=shaped)
    cooks = (Cook((1, 3), "north", "onion"), Cook((1, 4), "north", "plate"))
    game._kitchen = game._kitchen._replace(cooks=cooks, pots=(Pot(1), Pot(3)))
    game.play("interact")
    assert game.play("interact").rewards == {"player_0": points, "player_1": points}


def test_the_clock_truncates() -> None:
    game = started(ticks=2)
    for _ in range(3):
        assert not game.play("stay").truncated
    assert game.play("stay") == (
        {"player_0": 0.0, "player_1": 0.0},
        False,
        True,
        {"soups": 0, "filled": 0, "taken": 0, "served": 0},
    )
    assert game.seat is None
    assert game.observe("player_1").endswith("The game is over after 2 ticks. Soups served: 0. Points: 0.")


def test_bounds_by_hand() -> None:
    # 2 cooks, 60 ticks: 120 interactions, 9 a soup: 13 soups
    assert KitchenGame().utility_bounds == (0.0, 260.0)
    assert KitchenGame(ticks=1).utility_bounds == (0.0, 0.0)
    # 34 points a soup for 14 begun soups, and two pots of three onions more
    assert KitchenGame(shaped=True).utility_bounds == (0.0, 34.0 * 14 + 18)


def test_starts_are_drawn_and_can_be_fixed() -> None:
    drawn = {started(seed)._kitchen.cooks[0].cell for seed in range(20)}
    assert drawn == {(1, 1), (1, 4)}
    assert {started(seed, shuffle_starts=False)._kitchen.cooks[0].cell for seed in range(20)} == {(1, 1)}


def test_other_words_are_refused() -> None:
    game = started()
    with pytest.raises(IllegalAction, match=r"'jump' is not possible now: choose one of \[north\], \[south\]"):
        game.play("jump")


def test_words() -> None:
    game = started(shuffle_starts=False)
    game._kitchen = game._kitchen._replace(
        cooks=(Cook((1, 1), "north", "onion"), Cook((1, 4), "east")),
        pots=(Pot(3, 2), Pot(3)),
        counters=(((0, 2), "plate"),),
    )
    assert game.board("player_1") == (
        "#O#PP#\n#0..1S\n#....#\n##D#O#\n"
        "You are player_1, at (2, 5), facing east, holding nothing.\n"
        "player_0 is at (2, 2), facing north, holding an onion.\n"
        "The pot at (1, 4) cooks; ticks left: 2.\nThe pot at (1, 5) holds a soup that is done.\n"
        "On the counter at (1, 3) lies a plate.\nTick 1 of 60."
    )
    short = started(shuffle_starts=False, prompt="compact")
    short._kitchen = game._kitchen
    assert short.observe("player_1") == (
        "tick 1 of 60\n#O#PP#\n#0..1S\n#....#\n##D#O#\n1 e empty you, 0 n onion, P 1.4 cooks 2, P 1.5 done, plate 1.3"
    )
