"""Battleship, the coin game and the phantom games: what is read, move by move, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from turnwise.envs.openspiel import OpenSpielGame
from turnwise.envs.openspiel.imperfect.battleship import battleship
from turnwise.envs.openspiel.imperfect.coin_game import coin_game
from turnwise.envs.openspiel.imperfect.dark_hex import dark_hex
from turnwise.envs.openspiel.imperfect.phantom_ttt import phantom_ttt

Reach = Callable[..., OpenSpielGame]


# --- battleship


def small_battleship(**settings: Any) -> OpenSpielGame:
    small = {"board_height": 3, "board_width": 3, "num_shots": 4, "ship_sizes": "[1;2]", "ship_values": "[1.0;2.0]"}
    return battleship(**small | settings)


def test_ships_are_placed_shot_at_and_sunk(reach: Reach) -> None:
    game = reach(small_battleship(loss_multiplier=0.5))
    assert game.observe("player_0").endswith("You are player_0.\nYour next ship to place occupies 1 cell.")
    reach(game, "A1 across", "C3 across")
    assert game.observe("player_0") == (
        "Your board (a letter for each ship, in capitals where it is hit; * a miss):\n"
        "  A B C\n1 a . .\n2 . . .\n3 . . .\nShips of player_0: 1 cell at A1 across.\n"
        "Your next ship to place occupies 2 cells."
    )
    reach(game, "B1 down", "A2 down", "C3", "A1", "A2", "C1")
    assert game.observe("player_0") == (
        "You shoot at C3: sunk.\nplayer_1 shoots at A1: sunk.\nYou shoot at A2: hit.\nplayer_1 shoots at C1: miss.\n"
        "Your board (a letter for each ship, in capitals where it is hit; * a miss):\n"
        "  A B C\n1 A b *\n2 . b .\n3 . . .\nShips of player_0: 1 cell at A1 across, 2 cells at B1 down.\n"
        "Your shots (o miss, x hit, s sunk):\n  A B C\n1 . . .\n2 x . .\n3 . . s\nShots left: 2."
    )
    reach(game, "A3")
    assert game.state.returns() == [2.5, -0.5]  # 1 + 2 - 0.5 * 1 and 1 - 0.5 * 3
    assert game.observe("player_1").endswith(
        "Ships sunk: 1 of player_0, 2 of player_1.\nThe game is over: your result is -0.5."
    )
    assert not game.zero_sum


def test_where_the_other_side_places_its_ships_is_not_told(reach: Reach) -> None:
    one = reach(small_battleship(), "A1 across", "C3 across", "B1 down", "A2 down")
    two = reach(small_battleship(), "A1 across", "B2 across", "B1 down", "A3 across")
    assert one.observe("player_0") == two.observe("player_0")
    assert one.secrets("player_1") == (
        "Ships of player_1: 1 cell at C3 across, 2 cells at A2 down.",
        "p1 ships C3 across, A2 down own",
    )


def test_the_names_of_battleship_are_openspiels_cells() -> None:
    game = battleship(board_height=4, board_width=6)
    game.begin()
    state = game.state
    for action, name in ((0, "A1"), (7, "B2"), (23, "F4"), (24, "A1 across"), (31, "B2 across"), (72 - 24, "A1 down")):
        assert game._positions.words.action_name(state, action) == name
    for action in state.legal_actions():
        text = state.action_to_string(action)
        name = game._positions.words.action_name(state, action)
        row, column = (int(part.strip(" )")) for part in text.rpartition("(")[2].split(","))
        assert name == f"{'ABCDEF'[column]}{row + 1} {'across' if 'horizontally' in text else 'down'}"


def test_no_cell_is_shot_at_twice_where_that_is_forbidden(reach: Reach) -> None:
    game = reach(small_battleship(allow_repeated_shots=False), "A1 across", "A1 across", "A2 across", "A2 across")
    reach(game, "C3", "C3")
    assert "C3" not in game.legal()
    assert len(game.legal()) == 8


def test_battleship_in_one_line(reach: Reach) -> None:
    game = reach(small_battleship(prompt="compact"), "A1 across", "C3 across")
    assert game.observe("player_0") == "place 2 p0 ships A1 across own a../.../..."
    reach(game, "B1 down", "A2 down", "C3", "C1")
    assert game.observe("player_0") == "shoot 3 p0 ships A1 across, B1 down own ab*/.b./... shots .../.../..s"


# --- the coin game


def test_coins_are_taken_and_squared(reach: Reach) -> None:
    # player_0 likes c, player_1 likes a; both stand at (2, 2) and (1, 1); a, b, c lie at (1, 2), (2, 3), (3, 2)
    game = reach(coin_game(rows=3, columns=3, num_coins_per_color=1, episode_length=3), 2, 0, 4, 0, 1, 5, 7)
    assert game.observe("player_0").endswith(
        "You are player_0.\n1 a .\n. 0 b\n. c .\n"
        "Taken so far: player_0 0 a, 0 b, 0 c; player_1 0 a, 0 b, 0 c. Moves left: 3. "
        "You are 0 on the map and like colour c.\n"
        "Legal moves: [up], [down], [left], [right], [stand]"
    )
    reach(game, "down", "right")
    assert game.observe("player_0").startswith(
        "You take a coin of colour c.\nplayer_1 moves right and takes a coin of colour a.\n. 1 .\n. . b\n. 0 .\n"
    )
    reach(game, "stand")
    assert game.state.returns() == [2, 2]  # 1 for the own colour, 1 for the other's
    text = game.observe("player_1")
    assert "player_0 stays.\n" in text
    assert text.endswith("The colours: player_0 likes c, player_1 likes a.\nThe game is over: your result is 2.")


def test_a_coin_that_nobody_likes_costs_both(reach: Reach) -> None:
    game = reach(coin_game(rows=3, columns=3, num_coins_per_color=1, episode_length=1), 2, 0, 4, 0, 1, 5, 7, "right")
    assert game.state.returns() == [-1, -1]


def test_the_coin_game_in_one_line(reach: Reach) -> None:
    game = reach(
        coin_game(rows=3, columns=3, num_coins_per_color=1, episode_length=3, prompt="compact"), 2, 0, 4, 0, 1, 5, 7
    )
    assert game.observe("player_0") == "you 0 like c left 3 took 0/0/0 0/0/0 map 1a./.0b/.c."
    reach(game, "up")
    assert game.observe("player_1") == "you 1 like a left 2 took 1/0/0 0/0/0 map 10./..b/.c."


# --- phantom games


def test_a_hidden_mark_is_met_and_the_turn_goes_on(reach: Reach) -> None:
    game = reach(phantom_ttt(), "4", "4")
    assert game.seat == "player_1"
    text = game.observe("player_1")
    assert text.endswith(
        "Cell 4 is taken by player_0.\n0 1 2\n3 x 5\n6 7 8\nLegal moves: [0], [1], [2], [3], [5], [6], [7], [8]"
    )
    reach(game, "7")
    assert game.observe("player_0").endswith(
        "Your x stands on cell 4.\n0 1 2\n3 x 5\n6 7 8\nLegal moves: [0], [1], [2], [3], [5], [6], [7], [8]"
    )
    reach(game, "0", "1", "8")
    assert game.state.returns() == [1, -1]
    assert game.observe("player_1").endswith("All marks:\nx o .\n. x .\n. o x\nThe game is over: you lose 1.")


def test_an_abrupt_miss_costs_the_turn_and_tries_are_told(reach: Reach) -> None:
    game = reach(phantom_ttt(gameversion="abrupt", obstype="reveal-numturns"), "4", "4")
    assert game.seat == "player_0"
    assert "Your x stands on cell 4.\nplayer_1 makes a try.\n0 1 2\n3 x 5\n6 7 8\nTries of both players so far: 2." in (
        game.observe("player_0")
    )
    assert "your turn is over" in game.observe("player_1")


def test_phantom_games_in_one_line(reach: Reach) -> None:
    game = reach(phantom_ttt(prompt="compact"), "4", "4")
    assert game.observe("player_1") == "you o .../.x./... unknown ."
    game = reach(dark_hex(prompt="compact", num_cols=4, num_rows=2, obstype="reveal-numturns"), "b1")
    assert game.observe("player_1") == "you o ..../.... unknown . tries 1"
    assert game.board("player_0") == "you x .x../.... unknown . tries 1"


def test_dark_hex_to_a_chain(reach: Reach) -> None:
    game = reach(dark_hex(), "b2", "b2", "a1")
    assert game.observe("player_1").endswith(
        "You are player_1.\nCell b2 is taken by player_0.\nYour o stands on cell a1.\n"
        "  a b c\n1 o . .\n 2 . x .\n  3 . . .\nYou play o and join the left and the right column."
    )
    assert game.observe("player_0").endswith(
        "Your x stands on cell b2.\n  a b c\n1 . . .\n 2 . x .\n  3 . . .\n"
        "You play x and join the top and the bottom row.\n"
        "Legal moves: [a1], [b1], [c1], [a2], [c2], [a3], [b3], [c3]"
    )
    reach(game, "c1", "a2", "b3")
    assert game.state.returns() == [1, -1]
    assert game.observe("player_1").endswith(
        "All stones:\n  a b c\n1 o . x\n 2 o x .\n  3 . x .\nThe game is over: you lose 1."
    )


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (battleship, {"board_width": 27}, "1 to 26 rows and columns"),
        (battleship, {"num_shots": 0}, "num_shots >= 1"),
        (coin_game, {"players": 11}, "1 to 10 players"),
        (coin_game, {"rows": 1}, "a cell for every player and coin"),
        (dark_hex, {"gameversion": "any"}, "cdh, adh: got 'any'"),
        (dark_hex, {"num_cols": 0}, "1 to 26 columns"),
        (phantom_ttt, {"gameversion": "any"}, "classical, abrupt: got 'any'"),
        (phantom_ttt, {"obstype": "any"}, "reveal-nothing, reveal-numturns: got 'any'"),
    ],
)
def test_impossible_boards_are_refused(
    make: Callable[..., OpenSpielGame], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(**settings)
