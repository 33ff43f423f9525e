"""Sudoku: the solver, uniqueness, entries that are refused or allowed, the reward."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs.puzzles.sudoku import Sudoku
from turnwise.envs.puzzles.sudoku_generate import MOST_EMPTY, Puzzle, Size, generate
from turnwise.envs.puzzles.sudoku_solver import Grid, candidates, only_solution, peers, solutions


def grid(text: str) -> Grid:
    return tuple(int(sign.replace(".", "0")) for sign in "".join(text.split()))


SOLVED = grid("1234 3412 2143 4321")
GIVEN = grid("1.34 3412 2143 432.")


def valid(full: Grid, size: int) -> bool:
    return all(full[cell] != full[other] for cell in range(size * size) for other in peers(size)[cell])


def test_peers_by_hand() -> None:
    assert peers(4)[0] == (1, 2, 3, 4, 5, 8, 12)
    assert peers(6)[0] == (1, 2, 3, 4, 5, 6, 7, 8, 12, 18, 24, 30)  # boxes of two rows and three columns
    assert all(len(near) == 20 for near in peers(9))


def test_candidates_by_hand() -> None:
    assert candidates(grid("1... .... .3.. ...."), 4, 1) == [2, 4]


def test_the_number_of_grids_is_the_known_one() -> None:
    # 288 grids of 4 by 4 (and 28,200,960 of 6 by 6, too many to list here)
    found = list(solutions((0,) * 16, 4))
    assert len(found) == len(set(found)) == 288
    assert all(valid(full, 4) for full in found)


def test_uniqueness_by_hand() -> None:
    assert only_solution(GIVEN, 4) == SOLVED
    # a rectangle over two boxes: 1 3 / 3 1 is as good as 3 1 / 1 3
    two = grid(".2.4 .4.2 2143 4321")
    assert only_solution(two, 4) is None
    assert len(list(solutions(two, 4))) == 2
    assert list(solutions(grid("11.. .... .... ...."), 4)) == []


def test_a_known_9_by_9_puzzle() -> None:
    puzzle = grid("53..7.... 6..195... .98....6. 8...6...3 4..8.3..1 7...2...6 .6....28. ...419..5 ....8..79")
    assert only_solution(puzzle, 9) == grid(
        "534678912 672195348 198342567 859761423 426853791 713924856 961537284 287419635 345286179"
    )


def count_by_trying(given: Grid) -> int:
    """Solutions of a 4 by 4 grid: every filling of its empty cells is tried."""
    empty = [cell for cell, digit in enumerate(given) if not digit]
    total = 0
    for digits in product(range(1, 5), repeat=len(empty)):
        full = list(given)
        for cell, digit in zip(empty, digits, strict=True):
            full[cell] = digit
        total += valid(tuple(full), 4)
    return total


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), empty=st.integers(1, 6))
def test_small_puzzles_have_one_solution_by_trying_everything(seed: int, empty: int) -> None:
    puzzle = generate(Size(4, empty), np.random.default_rng(seed))
    assert puzzle.given.count(0) == empty
    assert count_by_trying(puzzle.given) == 1


@pytest.mark.parametrize(("size", "empty"), [(4, 10), (6, 16), (6, 24), (9, 45), (9, 54)])
def test_puzzles_have_one_solution(size: int, empty: int) -> None:
    assert empty <= MOST_EMPTY[size]
    for seed in range(2):
        puzzle = generate(Size(size, empty), np.random.default_rng(seed))
        assert puzzle.given.count(0) == empty
        assert valid(puzzle.solution, size)
        assert list(solutions(puzzle.given, size)) == [puzzle.solution]
        assert all(digit in (0, right) for digit, right in zip(puzzle.given, puzzle.solution, strict=True))


# The game


def placed(given: Grid = GIVEN, **kwargs: object) -> Sudoku:
    game = Sudoku(size=4, empty=given.count(0), **kwargs)  # type: ignore[arg-type]
    game.start(np.random.default_rng(0))
    game._puzzle, game._grid, game._legal = Puzzle(4, given, SOLVED), given, None
    return game


def test_right_entries_win() -> None:
    game = placed()
    assert game.ground_truth() == "1234 3412 2143 4321"
    assert game.legal() == tuple(f"{cell}={digit}" for cell in ("r1c2", "r4c4") for digit in (1, 2, 3, 4))
    assert game.solution() == ("r1c2=2", "r4c4=1")
    assert game.play("r4c4=1") == ({"player_0": 0.0}, False, False, {})
    assert game.play("r1c2=2") == ({"player_0": 1.0}, True, False, {})
    assert game.observe("player_0").startswith("You wrote r1c2=2. The game is over. The grid is solved: you win.")


def test_wrong_entries_are_refused_until_there_are_too_many() -> None:
    game = placed(mistakes=1)
    before = game._grid
    assert game.play("r1c2=4") == ({"player_0": 0.0}, False, False, {})
    assert game._grid == before
    assert game.observe("player_0").split("\n")[-1] == "Cells to fill: 2. Mistakes: 1 of 1."
    assert game.play("r1c2=3") == ({"player_0": 0.0}, True, False, {})
    assert game.observe("player_0").startswith(
        "r1c2=3 is wrong and was not written. The game is over: that was mistake 2. You lose."
    )


def test_wrong_entries_are_allowed_and_checked_at_the_end() -> None:
    game = placed(wrong="allow", dense=True)
    assert game.play("r1c2=4").rewards["player_0"] == 0.0
    assert "r1c2=4" not in game.legal() and "r1c2=2" in game.legal()
    assert game.solution() == ("r1c2=2", "r4c4=1")
    assert game.play("r1c2=2").rewards["player_0"] == 0.5
    assert game.play("r1c2=1").rewards["player_0"] == -0.5
    assert game.play("r4c4=1") == ({"player_0": 0.5}, True, False, {})
    assert "The full grid is wrong: you lose." in game.observe("player_0")


def test_overwriting_for_ever_is_stopped() -> None:
    game = placed(wrong="allow", turns=2)
    assert not game.play("r1c2=4").truncated
    assert game.play("r1c2=3") == ({"player_0": 0.0}, False, True, {})
    assert "the 2 entries are used up" in game.observe("player_0")


def test_given_cells_cannot_be_written() -> None:
    for wrong in ("refuse", "allow"):
        assert not any(name.startswith("r1c1") for name in placed(wrong=wrong).legal())


def test_words() -> None:
    assert placed().board("player_0") == (
        "r1  1 . | 3 4\nr2  3 4 | 1 2\n-------------\nr3  2 1 | 4 3\nr4  4 3 | 2 .\nCells to fill: 2. Mistakes: 0 of 2."
    )
    game = placed(prompt="compact")
    game.play("r1c2=4")
    assert game.observe("player_0") == "r1 1.34\nr2 3412\nr3 2143\nr4 432.\nmistakes 1 of 2 r1c2=4 was wrong"
    assert game.anchor() == "1.34/3412/2143/432. 1"
    assert Sudoku(size=6).task == "6x6"
