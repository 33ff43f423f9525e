"""Breakthrough, hex, othello, go and chess: their words by hand, and their moves against OpenSpiel's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from turnwise.envs.openspiel import breakthrough, chess, go, hex_game, othello
from turnwise.envs.openspiel.chess import TEXTS as CHESS_TEXTS
from turnwise.envs.openspiel.go import area, prisoners
from turnwise.envs.openspiel.go import rows_of as go_rows
from turnwise.envs.openspiel.grid import coordinates, run_lengths


def after(game: Any, *names: str) -> Any:
    game.start(np.random.default_rng(0))
    for name in names:
        game.play(name)
    return game


def test_a_grid_by_hand() -> None:
    assert coordinates(["x.", ".o"], "ab", ["10", "9"]) == "   a b\n10 x .\n 9 . o"
    assert coordinates(["x.", ".o"], "ab", ["1", "2"], slant=1) == "  a b\n1 x .\n 2 . o"
    assert [run_lengths(row) for row in ("..x.", "xx", "....", "o..............x")] == ["2x1", "xx", "4", "o14x"]


def test_breakthrough_in_words() -> None:
    game = after(breakthrough(rows=6, columns=4))
    assert game.observe("player_0").endswith(
        "You are player_0.\n  a b c d\n6 b b b b\n5 b b b b\n4 . . . .\n3 . . . .\n2 w w w w\n1 w w w w\n"
        "Pieces: Black has 8, White has 8. You are Black (b). Black is to move.\n"
        "Legal moves: [a5a4], [a5b4], [b5a4], [b5b4], [b5c4], [c5b4], [c5c4], [c5d4], [d5c4], [d5d4]"
    )
    for move in ("a5a4", "b2b3", "d5d4"):
        game.play(move)
    game.play("b3a4*")
    assert game.observe("player_0") == (
        "player_1 plays b2b3.\nplayer_1 plays b3a4*.\n"
        "  a b c d\n6 b b b b\n5 . b b .\n4 w . . b\n3 . . . .\n2 w . w w\n1 w w w w\n"
        "Pieces: Black has 7, White has 8. You are Black (b). Black is to move.\n"
        "Legal moves: [a6a5], [b6a5], [c6d5], [d6d5], [b5a4*], [b5b4], [b5c4], [c5b4], [c5c4], [d4c3], [d4d3]"
    )


def test_breakthrough_ends_on_the_far_row() -> None:
    game = after(breakthrough(rows=6, columns=4, prompt="compact"), "a5a4", "b2b3", "d5d4", "b3a4*", "d4d3", "a4b5*")
    assert game.observe("player_0") == "b bbbb/1wb1/4/3b/w1ww/wwww"
    game.play("d3c2*")
    assert game.observe("player_1") == "w bbbb/1wb1/4/4/w1bw/wwww"
    assert game.play("b5a6*") == ({"player_0": -1.0, "player_1": 1.0}, True, False, {})
    assert game.observe("player_0") == "over -1"


def test_equal_boards_with_other_movers_are_not_one_position() -> None:
    game = after(breakthrough(rows=6, columns=4), "a5a4")
    assert game._positions.words.key(game.state) == (str(game.state), 1)


def test_hex_in_words() -> None:
    game = after(hex_game(num_cols=3, num_rows=2), "b1")
    assert game.observe("player_1").endswith(
        "You are player_1.\nplayer_0 plays b1.\n  a b c\n1 . x .\n 2 . . .\n"
        "You play o and join the left and the right column. o is to move.\n"
        "Legal moves: [a1], [c1], [a2], [b2], [c2]"
    )
    game.play("b2")
    # b1 touches a2 (below and to the left): a chain from the top row to the bottom row
    assert game.play("a2") == ({"player_0": 1.0, "player_1": -1.0}, True, False, {})
    assert game.observe("player_1") == (
        "player_0 plays a2.\n  a b c\n1 . x .\n 2 x o .\nYou play o and join the left and the right column.\n"
        "The game is over: you lose 1."
    )


def test_hex_with_the_swap() -> None:
    game = after(hex_game(board_size=4, swap=True, prompt="compact"), "b3")
    assert game.legal()[-1] == "swap"
    game.play("swap")
    assert game.observe("player_0") == "x 4/2o1/4/4"  # b3 became c2
    told = after(hex_game(board_size=4, swap=True), "b3", "swap").observe("player_0")
    assert "player_1 swaps: your stone is gone, and an o stands on the mirrored cell." in told
    assert "[swap]" in told.partition("You are")[0]
    assert "swap" not in after(hex_game(board_size=4)).observe("player_0")


def test_othello_in_words() -> None:
    game = after(othello(), "d3", "c3")
    assert game.observe("player_0").endswith(
        "player_1 plays c3 and turns 1 disc.\n  a b c d e f g h\n1 . . . . . . . .\n2 . . . . . . . .\n"
        "3 . . o x . . . .\n4 . . . o x . . .\n5 . . . x o . . .\n6 . . . . . . . .\n7 . . . . . . . .\n"
        "8 . . . . . . . .\nDiscs: Black 3, White 3. You are Black (x). Black is to move.\n"
        "Legal moves: [b3], [c4], [f5], [e6]"
    )
    assert after(othello(prompt="compact"), "d3", "c3").observe("player_0") == "x 8/8/2ox4/3ox3/3xo3/8/8/8"


def test_othello_can_end_after_nine_discs() -> None:
    """The shortest game there is: Black turns everything over."""
    game = after(othello(), "e6", "f4", "e3", "f6", "g5", "d6", "e7", "f5")
    step = game.play("c5")
    assert step == ({"player_0": 1.0, "player_1": -1.0}, True, False, {})
    assert "Discs: Black 13, White 0." in game.observe("player_1")


def test_othello_passes_when_it_must() -> None:
    rng, passed = np.random.default_rng(1), 0
    game = othello()
    for _ in range(20):
        game.start(rng)
        while game.seat is not None:
            seat, forced = game.seat, game.legal() == ("pass",)
            assert forced or "pass" not in game.legal()
            game.play(game.sample_action(rng))
            if forced:
                passed += 1
                assert f"{seat} has to pass." in game.observe("player_1" if seat == "player_0" else "player_0")
    assert passed


def test_go_in_words() -> None:
    game = after(go(board_size=3, komi=0.5), "a2", "a1", "b1")
    assert game.observe("player_1").endswith(
        "You are player_1.\nplayer_0 plays a2.\nplayer_0 plays b1 and takes 1 stone.\n"
        "  a b c\n3 . . .\n2 x . .\n1 . x .\n"
        "Stones taken: by Black 1, by White 0. You are White (o). White is to move.\n"
        "Legal moves: [c1], [b2], [c2], [a3], [b3], [c3], [pass]"  # a1 would be taken at once: no free point
    )
    game.play("pass")
    assert game.observe("player_0").split("\n")[-7] == "player_1 passes."
    assert game.play("pass") == ({"player_0": 1.0, "player_1": -1.0}, True, False, {})
    assert game.observe("player_1").endswith(
        "Both sides passed. Score: Black 9, White 0 + 0.5.\nThe game is over: you lose 1."
    )


def test_go_in_compact_words() -> None:
    game = after(go(board_size=5, prompt="compact"), "c3", "pass")
    assert game.observe("player_0") == "x 5/5/2x2/5/5 passed"
    assert game.anchor().startswith("player_0 ")


def test_area_by_hand() -> None:
    # Black: 5 stones and the 2 points a4, b4; White: 4 stones and the corner d1; c1 and the third row touch both
    assert area(["..xo", "xxxo", "...o", "x.o."]) == (7, 5)
    assert area(["...", "...", "..."]) == (0, 0)
    assert area(["x..", "...", "..."]) == (9, 0)
    assert area(["xo", "ox"]) == (2, 2)


@pytest.mark.parametrize(("size", "komi", "limit"), [(3, 0.5, None), (5, 3.5, 30), (9, 7.5, None)])
def test_the_score_in_the_ending_decides(size: int, komi: float, limit: int | None) -> None:
    game, rng, reasons = go(board_size=size, komi=komi, max_game_length=limit), np.random.default_rng(0), set()
    for _ in range(12):
        game.start(rng)
        while game.seat is not None:
            game.play(game.sample_action(rng))
        black, white = area(go_rows(game.state))
        ending = game.observe("player_0").split("\n")[-2]
        reasons.add(ending[:4])
        if "earlier position" not in ending:
            assert ending.endswith(f"Score: Black {black}, White {white} + {komi:g}.")
            assert game.state.returns()[0] == np.sign(black - white - komi)
        else:
            assert game.state.returns() == [0, 0]
    assert reasons


def test_a_position_that_comes_back_ends_go_as_a_draw() -> None:
    game, rng, found = go(board_size=2, komi=0.5), np.random.default_rng(0), 0
    for _ in range(60):
        game.start(rng)
        while game.seat is not None:
            game.play(game.sample_action(rng))
        if "An earlier position has come back." in game.observe("player_0"):
            found += 1
            assert game.state.returns() == [0, 0]
    assert found


def test_handicap_stones_are_not_prisoners() -> None:
    game = after(go(board_size=19, handicap=4))
    assert game.seat == "player_1"
    assert prisoners(game.state) == (0, 0)
    assert "Black has 4 stones on the board for a start and White moves first" in game.observe("player_1")


def test_chess_in_words() -> None:
    game = after(chess(), "e4", "d5", "exd5", "Qxd5")
    assert game.observe("player_1").endswith(
        "player_0 (Black) plays d5.\nplayer_0 (Black) plays Qxd5.\n"
        "  a b c d e f g h\n8 r n b . k b n r\n7 p p p . p p p p\n6 . . . . . . . .\n5 . . . q . . . .\n"
        "4 . . . . . . . .\n3 . . . . . . . .\n2 P P P P . P P P\n1 R N B Q K B N R\n"
        "Off the board: White's P, Black's p. You are White.\n"
        "Move 3: White is to move. Castling still possible: KQkq.\n"
        "Legal moves: " + ", ".join(f"[{name}]" for name in game.legal())
    )
    assert {"Nc3", "Be2", "Qe2", "Ke2"} <= set(game.legal())
    compact = after(chess(prompt="compact"), "e4")
    assert compact.observe("player_0") == "black rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1"


def test_a_pawns_capture_that_reads_like_a_bishops_is_written_out() -> None:
    game = after(chess(), "d3", "a6", "Be3", "c5", "b4", "d6")
    names = game.legal()
    assert "b4xc5" in names and "Bxc5" in names and "bxc5" not in names
    game.play("b4xc5")
    assert "player_1 (White) plays b4xc5." in game.observe("player_0")
    # the same for Black, whose pawns come from above
    black = after(chess(), "a3", "d6", "a4", "Be6", "c4", "b5", "a5")
    assert {"b5xc4", "Bxc4"} <= set(black.legal())


def test_a_second_bishop_on_the_pawns_rank_keeps_the_names_apart() -> None:
    """`B4xc5` tells one bishop from another on one file; case apart it is the pawn's `b4xc5`."""

    class Board:
        def __init__(self, names: list[str]) -> None:
            self.given = names

        def is_chance_node(self) -> bool:
            return False

        def current_player(self) -> int:
            return 1

        def action_to_string(self, player: int, action: int) -> str:
            return self.given[action]

    assert CHESS_TEXTS.names is not None
    assert CHESS_TEXTS.names(Board(["bxc5", "Bxc5", "B4xc5"]), [0, 1, 2]) == ["Pb4xc5", "Bxc5", "B4xc5"]
    assert CHESS_TEXTS.names(Board(["bxc5", "Bc5", "b5"]), [0, 1, 2]) == ["bxc5", "Bc5", "b5"]


LOYD = [
    *("e3", "a5", "Qh5", "Ra6", "Qxa5", "h5", "h4", "Rah6", "Qxc7", "f6", "Qxd7+", "Kf7", "Qxb7", "Qd3"),
    *("Qxb8", "Qh7", "Qxc8", "Kg6", "Qe6"),
]
"""Sam Loyd's stalemate in ten moves."""


@pytest.mark.parametrize(
    ("moves", "why", "black"),
    [
        (["f3", "e5", "g4", "Qh4#"], "Checkmate: Black wins.", 1.0),
        (["e4", "e5", "Bc4", "Nc6", "Qh5", "Nf6", "Qxf7#"], "Checkmate: White wins.", -1.0),
        (LOYD, "Stalemate: Black cannot move and is not in check.", 0.0),
        (
            ["Nf3", "Nf6", "Ng1", "Ng8", "Nf3", "Nf6", "Ng1", "Ng8"],
            "The same position came up for the third time.",
            0.0,
        ),
    ],
)
def test_chess_ends(moves: list[str], why: str, black: float) -> None:
    *before, last = moves
    game = after(chess(), *before)
    assert game.play(last) == ({"player_0": black, "player_1": -black}, True, False, {})
    assert game.observe("player_0").split("\n")[-2] == why


@pytest.mark.parametrize(
    ("seed", "why"),
    [
        (0, "Neither side has the pieces left for a checkmate."),
        (4, "Fifty moves without a capture or a pawn's move."),
        (8, "Stalemate: White cannot move and is not in check."),
    ],
)
def test_chess_says_why_long_games_end(seed: int, why: str) -> None:
    rng, game = np.random.default_rng(seed), chess()
    game.start(rng)
    while game.seat is not None:
        game.play(game.sample_action(rng))
    assert game.observe("player_0").split("\n")[-2] == why


def test_chess960_draws_the_first_row() -> None:
    game = chess(chess960=True, prompt="compact")
    rows = set()
    for seed in range(5):
        game.start(np.random.default_rng(seed))
        row = game.observe("player_1").split()[1].split("/")[0]
        assert sorted(row) == sorted("rnbqkbnr")
        rows.add(row)
    assert len(rows) > 1
    assert "Chess960" in after(chess(chess960=True)).observe("player_1")


MAKERS: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (breakthrough, {}),
    (hex_game, {"board_size": 7, "swap": True}),
    (othello, {}),
    (go, {"board_size": 5}),
    (chess, {}),
]


@pytest.mark.parametrize(("make", "settings"), MAKERS)
@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_compact_texts_are_short_and_full_ones_say_who_is_to_move(make: Any, settings: Any, prompt: str) -> None:
    game, rng = make(prompt=prompt, **settings), np.random.default_rng(4)
    game.start(rng)
    while game.seat is not None:
        text = game.observe(game.seat)
        if prompt == "compact":
            assert len(text) < 110 and "\n" not in text
        else:
            assert "is to move" in text
            assert game.board(game.seat).startswith(f"You are {game.seat}.\n")
        game.play(game.sample_action(rng))


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (breakthrough, {"rows": 3}, "4 to 9 rows and 2 to 26 columns: got 3 and 8"),
        (hex_game, {"board_size": 0}, "1 to 26 columns and rows: got 0 and 0"),
        (hex_game, {"num_cols": 3, "num_rows": 4, "swap": True}, "as many columns as rows: got 3 and 4"),
        (go, {"board_size": 20}, "board_size of 2 to 19: got 20"),
        (go, {"board_size": 9, "handicap": 2}, "2 to 9 stones on board_size=19: got 2 on 9"),
        (go, {"max_game_length": 1}, "at least 2: got 1"),
        (chess, {"prompt": "long"}, "full, compact: got 'long'"),
    ],
)
def test_bad_settings(make: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**settings)
