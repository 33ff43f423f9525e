"""2048: merging by hand, new tiles, endings, the reward."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.puzzles.game_2048 import Game2048
from turnwise.envs.puzzles.tiles import Board, empty_cells, largest, merge, put, slide


@pytest.mark.parametrize(
    ("line", "merged", "points"),
    [
        ((0, 0, 0, 0), (0, 0, 0, 0), 0),
        ((0, 2, 0, 2), (4, 0, 0, 0), 4),
        ((2, 2, 2, 0), (4, 2, 0, 0), 4),  # the pair nearer to the wall merges
        ((2, 2, 2, 2), (4, 4, 0, 0), 8),  # not into an 8: once per move
        ((4, 2, 2, 0), (4, 4, 0, 0), 4),  # the new 4 does not merge with the old one
        ((2, 4, 2, 4), (2, 4, 2, 4), 0),
        ((0, 8, 0, 4), (8, 4, 0, 0), 0),
    ],
)
def test_merging_by_hand(line: tuple[int, ...], merged: tuple[int, ...], points: int) -> None:
    assert merge(line) == (merged, points)


BOARD: Board = ((2, 0, 2, 4), (2, 0, 0, 4), (0, 4, 0, 8), (4, 4, 4, 8))


@pytest.mark.parametrize(
    ("move", "board", "points"),
    [
        ("left", ((4, 4, 0, 0), (2, 4, 0, 0), (4, 8, 0, 0), (8, 4, 8, 0)), 12),
        ("right", ((0, 0, 4, 4), (0, 0, 2, 4), (0, 0, 4, 8), (0, 4, 8, 8)), 12),
        ("up", ((4, 8, 2, 8), (4, 0, 4, 16), (0, 0, 0, 0), (0, 0, 0, 0)), 36),
        ("down", ((0, 0, 0, 0), (0, 0, 0, 0), (4, 0, 2, 8), (4, 8, 4, 16)), 36),
    ],
)
def test_sliding_by_hand(move: str, board: Board, points: int) -> None:
    assert slide(BOARD, move) == (board, points)


tiles = st.sampled_from([0, 0, 2, 4, 8])
boards = st.lists(st.tuples(tiles, tiles, tiles), min_size=3, max_size=3).map(tuple)


@given(board=boards, move=st.sampled_from(["up", "down", "left", "right"]))
def test_a_slide_keeps_the_sum_and_leaves_no_gap(board: Board, move: str) -> None:
    slid, points = slide(board, move)
    assert sum(map(sum, slid)) == sum(map(sum, board))
    merges = len(empty_cells(slid)) - len(empty_cells(board))
    assert (points > 0) == (merges > 0) and points >= 4 * merges >= 0
    lines = slid if move in ("left", "right") else tuple(zip(*slid, strict=True))
    for line in lines:
        ordered = line if move in ("left", "up") else line[::-1]
        assert list(ordered) == [t for t in ordered if t] + [0] * ordered.count(0)


def started(board: Board, **kwargs: object) -> Game2048:
    game = Game2048(**kwargs)  # type: ignore[arg-type]
    game.start(np.random.default_rng(0))
    game._board, game._legal = board, None
    return game


def test_a_new_tile_comes_after_every_move_in_a_free_cell() -> None:
    counts = {2: 0, 4: 0}
    game = Game2048()
    for seed in range(400):
        game.start(np.random.default_rng(seed))
        assert sorted(tile for row in game._board for tile in row)[:14] == [0] * 14
        before = game._board
        move = game.legal()[0]
        game.play(move)
        slid = slide(before, move)[0]
        new = [(r, c) for r, c in empty_cells(slid) if game._board[r][c]]
        assert len(new) == 1
        tile = game._board[new[0][0]][new[0][1]]
        counts[tile] += 1
        assert put(slid, new[0], tile) == game._board
    assert 15 <= counts[4] <= 75  # 40 expected, 6 standard deviations of 6


def test_only_moves_that_change_the_board_are_legal() -> None:
    game = started(((2, 4, 8, 16), (0,) * 4, (0,) * 4, (0,) * 4))
    assert game.legal() == ("down",)


def test_reaching_the_target_wins() -> None:
    game = started(((32, 32, 0, 0), (2, 0, 0, 0), (0,) * 4, (0,) * 4))
    step = game.play("left")
    assert step == ({"player_0": 1.0}, True, False, {"score": 64, "largest": 64})
    assert game.observe("player_0").startswith(
        "You moved left for 64 points. The game is over: you have reached 64 and win.\n64   .   .   ."
    )


def test_a_full_board_that_cannot_move_is_lost_at_its_progress() -> None:
    game = started(((8, 4), (0, 2)), size=2, target=16)
    while game.seat is not None:
        step = game.play("right" if "right" in game.legal() else game.legal()[0])
    top = largest(game._board)
    assert step.terminated
    assert step.rewards["player_0"] == (log2(min(top, 16)) - 1) / 3
    assert ("nothing can be moved" in game.observe("player_0")) == (top < 16)


def test_dense_rewards_add_up_to_the_same() -> None:
    for seed in range(10):
        returns = []
        for dense in (False, True):
            game, rng, total = Game2048(dense=dense), np.random.default_rng(seed), 0.0
            game.start(np.random.default_rng(seed))
            while game.seat is not None:
                total += game.play(game.sample_action(rng)).rewards["player_0"]
            returns.append(total)
        assert returns[0] == returns[1] == (log2(largest(game._board)) - 1) / 5


def test_words() -> None:
    game = started(((2, 0, 0, 0), (0, 16, 0, 0), (0,) * 4, (0, 0, 0, 4)), prompt="compact")
    assert game.observe("player_0") == "2 . . . / . 16 . . / . . . . / . . . 4 moves up down left right"
    assert game.anchor() == "2 . . ./. 16 . ./. . . ./. . . 4"
    assert game.board("player_0") == (" 2   .   .   .\n .  16   .   .\n .   .   .   .\n .   .   .   4\nScore: 0")
