"""Boards: what is drawn where, and that nothing is drawn that the seat does not know."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from turnwise.boards import board_of, marked
from turnwise.boards.shapes import TONES
from turnwise.envs.core import TextGame
from turnwise.envs.registry import make_game


def played(env_id: str, *actions: str, seed: int = 0, **kwargs: Any) -> TextGame:
    game = make_game(env_id, **kwargs)
    game.start(np.random.default_rng(seed))
    for action in actions:
        game.play(action)
    return game


def texts(board: Mapping[str, Any] | None) -> list[str]:
    """The rows of a grid, a dot for an empty cell."""
    assert board is not None
    return [" ".join(one["text"] or "." for one in row) for row in board["cells"]]


def tones(board: Mapping[str, Any] | None) -> list[list[str | None]]:
    assert board is not None
    return [[one["tone"] for one in row] for row in board["cells"]]


def all_tones(board: Mapping[str, Any] | None) -> list[str | None]:
    return [tone for row in tones(board) for tone in row]


def hands(board: Mapping[str, Any] | None) -> dict[str, list[str]]:
    assert board is not None
    return {row["label"]: ["?" if card["hidden"] else card["text"] for card in row["cards"]] for row in board["rows"]}


def test_tic_tac_toe() -> None:
    board = board_of(played("TicTacToe-LLM", "4", "0"), "player_0")
    assert texts(board) == ["o 1 2", "3 x 5", "6 7 8"]
    assert tones(board)[0] == ["second", "muted", "muted"]
    assert tones(board)[1] == ["muted", "first", "muted"]


def test_connect_four() -> None:
    board = board_of(played("ConnectFour-LLM", "3", "3", "2"), None)
    assert texts(board)[-2:] == [". . . ○ . . .", ". . ● ● . . ."]
    assert board is not None
    assert (board["rows"], board["cols"], board["col_labels"]) == (6, 7, list("0123456"))


def test_chess_has_figures_on_named_fields() -> None:
    board = board_of(played("Chess-LLM", "e4", "c5"), "player_0")
    assert board is not None
    assert texts(board)[0] == "♜ ♞ ♝ ♛ ♚ ♝ ♞ ♜"
    assert texts(board)[3:5] == [". . ♟ . . . . .", ". . . . ♙ . . ."]
    assert (board["row_labels"][0], board["col_labels"][4], board["checkered"]) == ("8", "e", True)


def test_hex_stands_slanted() -> None:
    board = board_of(played("Hex-LLM", "b1", "c3", board_size=3), "player_0")
    assert board is not None
    assert (texts(board), board["slant"]) == ([". ● .", ". . .", ". . ○"], True)


def test_nim_has_a_row_a_pile() -> None:
    board = board_of(played("Nim-LLM", "take 2 from pile 3"), None)
    assert board is not None
    assert board["row_labels"] == ["pile 1: 1", "pile 2: 3", "pile 3: 3", "pile 4: 7"]
    assert texts(board)[2] == "● ● ● . . . ."


def test_kuhn_shows_the_card_of_the_seat_and_the_back_of_the_other() -> None:
    game = played("KuhnPoker-LLM", "check", "bet", seed=0)
    mine = "Queen" if "Queen" in game.board("player_0") else "Jack" if "Jack" in game.board("player_0") else "King"
    board = board_of(game, "player_0")
    assert hands(board) == {"player_0 (you)": [mine], "player_1": ["?"]}
    assert board is not None
    assert [row["note"] for row in board["rows"]] == ["checks", "bets"]
    everybody = hands(board_of(game, None))
    assert everybody["player_0"] == [mine]
    assert everybody["player_1"] != ["?"]
    game.play("call")
    assert hands(board_of(game, "player_0"))["player_1"] == everybody["player_1"]
    folded = played("KuhnPoker-LLM", "bet", "fold", seed=0)
    assert hands(board_of(folded, "player_0"))["player_1"] == ["?"]


def test_dark_hex_is_drawn_as_far_as_the_seat_has_found_out() -> None:
    game = played("DarkHex-LLM", "b2", "a1", "c1")
    assert texts(board_of(game, "player_0")) == [". . ●", ". ● .", ". . ."]
    assert texts(board_of(game, "player_1")) == ["○ . .", ". . .", ". . ."]
    assert texts(board_of(game, None)) == ["○ . ●", ". ● .", ". . ."]


def test_battleship_has_ships_on_the_left_and_shots_on_the_right() -> None:
    small = {"board_height": 2, "board_width": 2, "num_shots": 3, "ship_sizes": "[1]", "ship_values": "[1]"}
    game = played("Battleship-LLM", **small)
    assert texts(board_of(game, "player_0")) == [". .", ". ."]
    for action in ("A1 across", "B2 across", "A1", "B1"):
        game.play(action)
    assert texts(board_of(game, "player_0")) == ["a ○ . ○ .", ". . . . ."]
    assert texts(board_of(game, "player_1")) == ["○ . . . ○", ". a . . ."]
    assert texts(board_of(game, None)) == ["a ○ . ○ .", ". . . . a"]


def test_wordle_colours_letters() -> None:
    game = played("Wordle-LLM", level="easy", seed=1)
    secret = game.ground_truth()
    game.play(secret)
    board = board_of(game, "player_0")
    assert texts(board)[0] == " ".join(secret.upper())
    assert tones(board)[0] == ["good"] * 4
    assert board is not None
    assert (board["rows"], board["cols"]) == (8, 4)


def test_hangman_keeps_what_is_not_found_hidden() -> None:
    game = played("Hangman-LLM", seed=3)
    word = game.ground_truth()
    board = board_of(game, "player_0")
    assert texts(board) == [" ".join("." * len(word))]
    game.play(word[0])
    found = texts(board_of(game, "player_0"))[0].split()
    assert [letter.lower() for letter in found] == [letter if letter == word[0] else "." for letter in word]


def test_minesweeper_shows_no_mine_before_the_end() -> None:
    game = played("Minesweeper-LLM", seed=2)
    assert "bad" not in all_tones(board_of(game, None))
    mines = game.ground_truth().split()
    game.play(f"reveal {next(name for name in mines if name.startswith('r'))}".rstrip(",."))
    assert "bad" in all_tones(board_of(game, None))


def test_sokoban_and_frozen_lake() -> None:
    room = board_of(played("Sokoban-LLM", seed=1), "player_0")
    assert tones(room)[0] == ["wall"] * 6
    flat = all_tones(room)
    assert (flat.count("first"), flat.count("second"), flat.count("goal")) == (1, 1, 1)
    lake = texts(board_of(played("Gymnasium/FrozenLake-LLM", "right"), "player_0"))
    assert lake == [". ☺ . .", ". . . .", ". . . .", ". . . ◎"]


def test_minigrid_shows_a_seat_what_it_sees_and_a_reader_everything() -> None:
    game = played("MiniGrid/Unlock-LLM", seed=3)
    seen, whole = board_of(game, "player_0"), board_of(game, None)
    assert seen is not None
    assert whole is not None
    assert (seen["rows"], seen["cols"], texts(seen)[6].split()[3]) == (7, 7, "▲")
    assert (whole["rows"], whole["cols"]) == (6, 11)


CURATED = [
    *("TicTacToe", "ConnectFour", "Hex", "Breakthrough", "Chess", "Othello", "Go", "Nim", "Backgammon", "KuhnPoker"),
    *("LeducPoker", "LiarsDice", "Goofspiel", "Battleship", "DarkHex", "PhantomTicTacToe", "Hanabi", "GinRummy"),
    *("Blackjack", "CoinGame", "UniversalPoker", "Game2048", "Sokoban", "Sudoku", "Minesweeper", "Wordle"),
    *("Mastermind", "Hangman", "Kitchen", "KeyDoor", "MiniGrid/Unlock", "Gymnasium/FrozenLake"),
    *("Gymnasium/CliffWalking", "Gymnasium/Taxi", "OpenSpiel/checkers", "OpenSpiel/mancala", "OpenSpiel/amazons"),
    *("OpenSpiel/clobber", "OpenSpiel/dark_hex", "OpenSpiel/goofspiel"),
]


@pytest.mark.parametrize("name", CURATED)
def test_a_curated_game_is_drawn_at_every_turn(name: str) -> None:
    game = make_game(f"{name}-LLM")
    for seed in range(2):
        rng = np.random.default_rng(seed)
        game.start(rng)
        for _ in range(40):
            for seat in (None, *game.seats):
                check(board_of(game, seat))
            if game.seat is None:
                break
            game.play(game.sample_action(rng))
    game.close()


def check(board: dict[str, Any] | None) -> None:
    """A drawing that pages can draw."""
    assert board is not None
    assert board["kind"] in ("grid", "cards")
    assert json.loads(json.dumps(board)) == board
    if board["kind"] == "cards":
        assert all(isinstance(card["text"], str) for row in board["rows"] for card in row["cards"])
        assert all(not card["text"] for row in board["rows"] for card in row["cards"] if card["hidden"])
        return
    assert board["rows"] == len(board["cells"]) > 0
    assert {len(row) for row in board["cells"]} == {board["cols"]}
    assert all(one["tone"] in TONES for row in board["cells"] for one in row)
    assert len(board["row_labels"] or board["cells"]) == board["rows"]
    assert len(board["col_labels"] or board["cells"][0]) == board["cols"]


# What is hidden


def every_state(game: Any) -> Iterator[Any]:
    """All states of an OpenSpiel game in which a seat acts or that are final."""
    game.start(np.random.default_rng(0))
    game.begin()
    waiting = [game.clone()]
    while waiting:
        here = waiting.pop()
        state = here.state
        if not state.is_chance_node():
            yield here
        for action in state.legal_actions():
            after = here.clone()
            after.apply(action)
            waiting.append(after)


def sampled_states(game: Any, games: int) -> Iterator[Any]:
    """The states of random games."""
    for seed in range(games):
        rng = np.random.default_rng(seed)
        game.start(rng)
        while True:
            yield game
            if game.seat is None:
                break
            game.play(game.sample_action(rng))


def assert_alike(states: Iterator[Any]) -> int:
    """Of states that look alike to a seat, its boards are equal; returns how often two states were compared."""
    seen: dict[tuple[str, str, bool], Any] = {}
    compared = 0
    for game in states:
        over = game.seat is None
        for player, seat in enumerate(game.seats):
            if over and game.spiel_game.get_type().short_name not in ("kuhn_poker", "leduc_poker"):
                continue  # an end may reveal what the information state does not hold
            look = game.state.information_state_string(player)
            ending = game.board(seat).partition("Showdown")[2] if over else ""
            board = board_of(game, seat)
            key = (seat, look + ending, over)
            compared += key in seen
            assert seen.setdefault(key, board) == board
    return compared


@pytest.mark.parametrize(("name", "least"), [("KuhnPoker-LLM", 30), ("DarkHex-LLM", 200), ("LiarsDice-LLM", 0)])
def test_states_that_look_alike_to_a_seat_have_one_board(name: str, least: int) -> None:
    kwargs = {"board_size": 2} if name == "DarkHex-LLM" else {}
    game = make_game(name, **kwargs)
    states = every_state(game) if name != "LiarsDice-LLM" else sampled_states(game, 300)
    assert assert_alike(states) > least


@pytest.mark.parametrize(
    ("name", "kwargs", "games", "least"),
    [
        ("LeducPoker-LLM", {}, 400, 1000),
        ("PhantomTicTacToe-LLM", {}, 200, 300),
        ("Goofspiel-LLM", {"num_cards": 3}, 200, 300),
        (
            "Battleship-LLM",
            {"board_height": 2, "board_width": 2, "num_shots": 3, "ship_sizes": "[1]", "ship_values": "[1]"},
            300,
            300,
        ),
    ],
)
def test_sampled_states_that_look_alike_to_a_seat_have_one_board(
    name: str, kwargs: dict[str, Any], games: int, least: int
) -> None:
    assert assert_alike(sampled_states(make_game(name, **kwargs), games)) > least


@pytest.mark.parametrize("name", ["Hanabi-LLM", "GinRummy-LLM", "UniversalPoker-LLM", "KuhnPoker-LLM"])
def test_a_board_holds_no_secret_of_another_seat(name: str) -> None:
    def face_up(game: Any, seat: str, of: str) -> Sequence[str]:
        rows = hands(board_of(game, seat))
        return [card for label, cards in rows.items() if label.startswith(of) for card in cards if card != "?"]

    for game in sampled_states(make_game(name), 10):
        if game.seat is None:
            continue
        for seat in game.seats:
            of = seat if name == "Hanabi-LLM" else next(other for other in game.seats if other != seat)
            assert face_up(game, seat, of) == []


def test_cells_that_changed_are_marked() -> None:
    game = played("TicTacToe-LLM", "4")
    before = board_of(game, None)
    game.play("8")
    after = marked(board_of(game, None), before)
    assert after is not None
    assert after["last"] == [[2, 2]]
    unchanged = marked(board_of(game, None), after)
    assert unchanged is not None
    assert unchanged["last"] == [[2, 2]]
    assert marked(None, after) is None


@pytest.mark.parametrize(
    "name", ["TicTacToe", "Chess", "KuhnPoker", "DarkHex", "GinRummy", "Hanabi", "MiniGrid/Unlock"]
)
def test_a_board_does_not_depend_on_the_wording_of_the_prompt(name: str) -> None:
    found = []
    for prompt in ("full", "compact"):
        game = make_game(f"{name}-LLM", prompt=prompt)
        rng = np.random.default_rng(5)
        game.start(rng)
        for _ in range(2):
            game.play(game.sample_action(rng))
        found.append([board_of(game, seat) for seat in (None, *game.seats)])
    assert found[0] == found[1]
