"""Tic-tac-toe, connect four and nim: their words and, where it is known, their optimal play."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs.openspiel import OpenSpielGame, connect_four, nim, tic_tac_toe
from turnwise.envs.openspiel.optimal import nim_moves, optimal_action, tic_tac_toe_moves


def after(game: OpenSpielGame, *names: str) -> OpenSpielGame:
    game.start(np.random.default_rng(0))
    for name in names:
        game.play(name)
    return game


def test_tic_tac_toe_in_words() -> None:
    game = tic_tac_toe()
    game.start(np.random.default_rng(0))
    assert game.observe("player_0").endswith(
        "You are player_0.\n0 1 2\n3 4 5\n6 7 8\nLegal moves: " + ", ".join(f"[{cell}]" for cell in range(9))
    )
    game.play("4")
    game.play("0")
    assert game.observe("player_0") == (
        "player_1 marks cell 0.\no 1 2\n3 x 5\n6 7 8\nLegal moves: [1], [2], [3], [5], [6], [7], [8]"
    )


def test_tic_tac_toe_in_compact_words() -> None:
    game = after(tic_tac_toe(prompt="compact"), "4", "0")
    assert game.observe("player_0") == "x o0 .1 .2 .3 x4 .5 .6 .7 .8"
    game.play("8")
    assert game.observe("player_1") == "o o0 .1 .2 .3 x4 .5 .6 .7 x8"
    assert game.anchor() == "player_1 o..\n.x.\n..x"


def test_tic_tac_toe_ends() -> None:
    won = after(tic_tac_toe(), "0", "3", "1", "4")
    assert won.play("2") == ({"player_0": 1.0, "player_1": -1.0}, True, False, {})
    assert won.observe("player_1").endswith("x x x\no o 5\n6 7 8\nThe game is over: you lose 1.")
    drawn = after(tic_tac_toe(), *"01243576")
    assert drawn.play("8") == ({"player_0": 0.0, "player_1": 0.0}, True, False, {})
    assert drawn.observe("player_0").endswith("The game is over: it is a draw.")


def test_positions_reached_on_two_ways_are_one() -> None:
    first, second = after(tic_tac_toe(), "0", "4", "8"), after(tic_tac_toe(), "8", "4", "0")
    assert first._position is second._position
    assert first.observe("player_1") != second.observe("player_1")  # what happened is told apart all the same


def test_tic_tac_toe_by_hand() -> None:
    assert tic_tac_toe_moves("xx.oo....") == ("2",)  # wins at once
    assert tic_tac_toe_moves("xx..o....") == ("2",)  # must block
    assert tic_tac_toe_moves("....x....") == ("0", "2", "6", "8")  # an edge loses against the centre
    assert tic_tac_toe_moves(".........") == tuple("012345678")  # every opening draws


def test_perfect_tic_tac_toe_never_loses_and_draws_with_itself() -> None:
    game, rng = tic_tac_toe(), np.random.default_rng(1)
    results = {"player_0": [], "player_1": [], "both": []}  # type: dict[str, list[float]]
    for episode in range(300):
        perfect = ("player_0", "player_1", "both")[episode % 3]
        game.start(rng)
        while game.seat is not None:
            good = perfect in (game.seat, "both")
            step = game.play(optimal_action(game, rng) if good else game.sample_action(rng))
        results[perfect].append(step.rewards["player_0" if perfect == "both" else perfect])
    assert set(results["both"]) == {0.0}
    assert min(results["player_0"] + results["player_1"]) == 0.0
    assert sum(results["player_0"]) > 80


def test_ties_are_broken_by_the_generator_alone() -> None:
    game = after(tic_tac_toe())
    draws = [[optimal_action(game, np.random.default_rng(seed)) for seed in range(30)] for _ in range(2)]
    assert draws[0] == draws[1]
    assert len(set(draws[0])) > 5


def test_connect_four_in_words() -> None:
    game = after(connect_four(), "3", "3")
    text = game.observe("player_0")
    assert "7 columns and 6 rows" in text
    assert text.endswith(
        "player_1 drops a disc into column 3.\n" + ". . . . . . .\n" * 4 + ". . . o . . .\n. . . x . . .\n"
        "0 1 2 3 4 5 6\nLegal moves: [0], [1], [2], [3], [4], [5], [6]"
    )


def test_connect_four_in_compact_words() -> None:
    game = after(connect_four(rows=4, columns=4, x_in_row=3, prompt="compact"), "1", "1", "2")
    text = game.observe("player_1")
    assert text.split() == [
        *("o", ".0a", "x1a", "x2a", ".3a", ".0b", "o1b", ".2b", ".3b"),
        *(".0c", ".1c", ".2c", ".3c", ".0d", ".1d", ".2d", ".3d"),
    ]


def test_a_full_column_is_not_legal_and_four_in_a_row_win() -> None:
    game = after(connect_four(), *"000000")
    assert game.legal() == ("1", "2", "3", "4", "5", "6")
    game = after(connect_four(), "1", "0", "1", "0", "1", "0")
    assert game.play("1") == ({"player_0": 1.0, "player_1": -1.0}, True, False, {})


def test_nim_in_words() -> None:
    game = after(nim(pile_sizes=(1, 2)), "take 1 from pile 2")
    text = game.observe("player_1")
    assert "with 2 piles of objects" in text
    assert "Who takes the last object of all loses." in text
    assert text.endswith(
        "player_0 plays: take 1 from pile 2.\npile 1: 1\npile 2: 1\n"
        "Legal moves: [take 1 from pile 1], [take 1 from pile 2]"
    )
    assert "Who takes the last object of all wins." in after(nim(is_misere=False)).observe("player_0")
    assert after(nim(prompt="compact")).observe("player_0") == "nim 1:1 2:3 3:5 4:7"
    listed = after(nim(pile_sizes=(1, 1), prompt="compact", show_legal_moves=True)).observe("player_0")
    assert listed == "nim 1:1 2:1 moves take 1 from pile 1, take 1 from pile 2"


def test_the_last_object_loses_or_wins() -> None:
    game = after(nim(pile_sizes=(2,)))
    assert game.play("take 2 from pile 1").rewards == {"player_0": -1.0, "player_1": 1.0}
    game = after(nim(pile_sizes=(2,), is_misere=False))
    assert game.play("take 2 from pile 1").rewards == {"player_0": 1.0, "player_1": -1.0}


@pytest.mark.parametrize("sizes", [(), (0, 3), (-1,)])
def test_impossible_piles_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one pile of at least 1 object"):
        nim(pile_sizes=sizes)


@cache
def wins(sizes: tuple[int, ...], misere: bool) -> bool:
    """Whether the player to move wins, by search alone."""
    if sum(sizes) == 0:
        return misere
    children = (
        (*sizes[:pile], size - take, *sizes[pile + 1 :])
        for pile, size in enumerate(sizes)
        for take in range(1, size + 1)
    )
    return any(not wins(tuple(sorted(child)), misere) for child in children)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(any), st.booleans())
def test_nim_s_rule_is_what_search_finds(sizes: list[int], misere: bool) -> None:
    every = [(pile, take) for pile, size in enumerate(sizes) for take in range(1, size + 1)]
    good = [
        (pile, take)
        for pile, take in every
        if not wins(tuple(sorted((*sizes[:pile], sizes[pile] - take, *sizes[pile + 1 :]))), misere)
    ]
    assert nim_moves(sizes, misere) == (good or every)


@pytest.mark.parametrize("misere", [True, False])
def test_who_moves_first_from_a_won_position_wins_by_optimal_play(misere: bool) -> None:
    game, rng = nim(pile_sizes=(2, 3, 4), is_misere=misere), np.random.default_rng(0)
    for _ in range(50):
        game.start(rng)
        while game.seat is not None:
            step = game.play(optimal_action(game, rng) if game.seat == "player_0" else game.sample_action(rng))
        assert step.rewards["player_0"] == 1.0
