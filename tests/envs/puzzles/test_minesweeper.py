"""Minesweeper: counts and openings by hand, the solver against all arrangements, fields without guesses, play."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs.core import IllegalAction, Unsupported
from turnwise.envs.puzzles.minesweeper import Minesweeper
from turnwise.envs.puzzles.minesweeper_generate import Minefield, Size, generate, most_mines
from turnwise.envs.puzzles.minesweeper_rules import Field, cell_names, neighbours, opened
from turnwise.envs.puzzles.minesweeper_solver import TooLarge, deduce, guessless

CORNER = Field(4, 4, frozenset({0, 7}))
# * 1 1 1
# 1 1 1 *
# . . 1 1
# . . . .


def test_neighbours_by_hand() -> None:
    near = neighbours(3, 4)
    assert near[0] == (1, 4, 5)
    assert near[5] == (0, 1, 2, 4, 6, 8, 9, 10)
    assert near[11] == (6, 7, 10)


def test_counts_by_hand() -> None:
    assert CORNER.counts == (0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0)
    assert CORNER.safe == 14
    assert cell_names(2, 2) == ("r1c1", "r1c2", "r2c1", "r2c2")


def test_openings_by_hand() -> None:
    assert opened(CORNER, 1, set()) == {1}
    assert opened(CORNER, 8, set()) == {4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15}
    # what is flagged or open is left out, and what lies behind it too
    assert opened(CORNER, 15, {9, 13}) == {10, 11, 14, 15}


def brute_force(rows: int, columns: int, mines: int, shown: dict[int, int]) -> tuple[set[int], set[int]]:
    """What all arrangements of the mines that fit have in common."""
    hidden = [cell for cell in range(rows * columns) if cell not in shown]
    near = neighbours(rows, columns)
    fitting = [
        set(chosen)
        for chosen in combinations(hidden, mines)
        if all(len(set(chosen) & set(near[cell])) == number for cell, number in shown.items())
    ]
    assert fitting
    mined = set.intersection(*fitting)
    return set(hidden) - set.union(*fitting), mined


def test_deductions_by_hand() -> None:
    # 1 2 1 above three hidden cells: mines left and right of a safe one. 1 1 from the wall: the third is safe.
    assert deduce(2, 3, 2, {0: 1, 1: 2, 2: 1}) == ({4}, {3, 5})
    safe, mined = deduce(2, 4, 1, {0: 1, 1: 1})
    assert (safe, mined) == ({2, 3, 6, 7}, frozenset())
    # the number of mines alone: none is left, or all that is hidden is one
    assert deduce(1, 3, 0, {}) == ({0, 1, 2}, frozenset())
    assert deduce(1, 3, 3, {}) == (frozenset(), {0, 1, 2})


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(2, 4),
    columns=st.integers(2, 4),
    seed=st.integers(0, 2**32),
    share=st.floats(0.1, 0.5),
    seen=st.floats(0.1, 0.9),
)
def test_deductions_are_what_all_arrangements_share(
    rows: int, columns: int, seed: int, share: float, seen: float
) -> None:
    rng = np.random.default_rng(seed)
    cells = rows * columns
    mines = frozenset(rng.permutation(cells)[: max(1, int(share * cells))].tolist())
    field = Field(rows, columns, mines)
    shown = {cell: field.counts[cell] for cell in range(cells) if cell not in mines and rng.random() < seen}
    assert deduce(rows, columns, len(mines), shown) == brute_force(rows, columns, len(mines), shown)


def test_a_search_that_is_too_large_says_so() -> None:
    with pytest.raises(TooLarge, match="too many arrangements"):
        deduce(2, 3, 2, {0: 1, 1: 2, 2: 1}, most=1)


def test_a_field_that_needs_a_guess_has_no_plan() -> None:
    # 1 over two hidden cells in a closed corner: either may be the mine, and no number tells
    #   . . 2 #        mines at (0, 3) and (2, 3); (1, 3) between them is told by the 2 of its own row only if open
    field = Field(2, 4, frozenset({3}))
    assert guessless(field, {0, 1, 4, 5, 2, 6}) is None
    field = Field(2, 4, frozenset({3, 7}))
    assert guessless(field, {0, 1, 4, 5}) == (2, 6)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(4, 8),
    columns=st.integers(4, 8),
    mines=st.integers(1, 12),
    seed=st.integers(0, 2**32),
)
def test_solvable_fields_are_won_by_certain_reveals_alone(rows: int, columns: int, mines: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = Size(rows, columns, min(mines, most_mines(rows, columns, True)))
    first = int(rng.integers(rows * columns))
    made = generate(size, first, True, rng)
    assert len(made.field.mines) == size.mines
    assert made.field.counts[first] == 0 and first not in made.field.mines
    shown = set(opened(made.field, first, set()))
    for cell in made.plan or ():
        safe, _ = deduce(rows, columns, size.mines, {open_: made.field.counts[open_] for open_ in sorted(shown)})
        assert cell in safe
        shown |= opened(made.field, cell, shown)
    assert len(shown) == made.field.safe


# The game


def laid(field: Field, first: int, **kwargs: object) -> Minesweeper:
    """A game on this field, its first cell open."""
    game = Minesweeper(rows=field.rows, columns=field.columns, mines=len(field.mines), **kwargs)  # type: ignore[arg-type]
    game.start(np.random.default_rng(0))
    shown = opened(field, first, set())
    game._made = Minefield(field, first, guessless(field, shown))
    game._open, game._open_at_first, game._legal = shown, len(shown), None
    return game


def test_the_opening_is_safe_and_something_is_left() -> None:
    game = Minesweeper()
    for seed in range(50):
        game.start(np.random.default_rng(seed))
        assert game._made is not None
        assert game._made.field.counts[game._made.first] == 0
        assert 9 > game._safe() - len(game._open) > 0 or len(game._open) >= 4
        assert f"opened {game._names[game._made.first]} for you" in game.observe("player_0")


def test_the_seats_own_first_reveal_is_safe_wherever_it_is() -> None:
    game = Minesweeper(opening="own")
    for cell in range(25):
        game.start(np.random.default_rng(3))
        with pytest.raises(Unsupported, match="before the first reveal"):
            game.ground_truth()
        step = game.play(f"reveal r{cell // 5 + 1}c{cell % 5 + 1}")
        assert not step.terminated
        assert len(game._open) >= 4


def test_winning_by_hand() -> None:
    game = laid(CORNER, 15, dense=True)
    assert game.anchor() == "####/111#/..11/...."
    assert game.ground_truth() == "r1c1 r2c4"
    assert game.solution() == ("reveal r1c2", "reveal r1c3", "reveal r1c4")
    rewards = [game.play(action).rewards["player_0"] for action in game.solution()]
    assert rewards == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert sum(rewards) == 1.0
    assert game.seat is None
    assert "every safe cell is open. You win." in game.observe("player_0")


@pytest.mark.parametrize(("dense", "earlier"), [(False, 0.0), (True, 1 / 3)])
def test_a_mine_loses_and_keeps_what_was_paid(dense: bool, earlier: float) -> None:
    game = laid(CORNER, 15, dense=dense)
    assert game.play("reveal r1c2").rewards["player_0"] == pytest.approx(earlier)
    assert game.play("reveal r2c4") == ({"player_0": 0.0}, True, False, {})
    text = game.observe("player_0")
    assert text.startswith("You reveal r2c4. The game is over: that was a mine. You lose.\n")
    assert text.split("\n")[2].split() == ["r1", "*", "1", "#", "#"]


def test_flags_keep_cells_shut() -> None:
    game = laid(CORNER, 15)
    game.play("flag r1c2")
    assert "F" in game.anchor()
    assert {"reveal r1c2", "flag r1c2"}.isdisjoint(game.legal()) and "unflag r1c2" in game.legal()
    with pytest.raises(IllegalAction, match=r"'reveal r1c2' is not possible now: answer like \[reveal r1c1\]"):
        game.play("reveal r1c2")
    assert game.solution()[0] == "unflag r1c2"
    game.play("unflag r1c2")
    assert "reveal r1c2" in game.legal()
    assert not any("flag" in name for name in laid(CORNER, 15, flags=False).legal())


def test_the_solution_mends_flags_that_kept_cells_shut() -> None:
    for seed in range(40):
        game, rng = Minesweeper(level="medium", opening="own"), np.random.default_rng(seed)
        game.start(rng)
        for cell in rng.permutation(64)[:8].tolist():
            game.play(f"flag {game._names[cell]}")
        total = 0.0
        while game.seat is not None:
            total += game.play(game.solution()[0]).rewards["player_0"]
        assert total == 1.0


def test_flagging_for_ever_is_stopped() -> None:
    game = laid(CORNER, 15, turns=3)
    for action in ("flag r1c1", "unflag r1c1"):
        assert not game.play(action).truncated
    assert game.play("flag r1c1") == ({"player_0": 0.0}, False, True, {})
    assert "the 3 moves are used up" in game.observe("player_0")


def test_fields_that_may_need_guesses_tell_no_solution() -> None:
    game = Minesweeper(solvable=False, mines=9)
    game.start(np.random.default_rng(0))
    assert not game.has_solution
    with pytest.raises(Unsupported):
        game.solution()


def test_words() -> None:
    game = laid(CORNER, 15, prompt="compact")
    assert game.observe("player_0") == "c1 to c4 mines 2\nr1 ####\nr2 111#\nr3 ..11\nr4 ...."
    assert game.board("player_0").split("\n")[:3] == [
        "     c1  c2  c3  c4",
        "r1    #   #   #   #",
        "r2    1   1   1   #",
    ]
