"""Sokoban: pushes by hand, rooms that can be solved, plans, the reward."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs.core import IllegalAction, Unsupported
from turnwise.envs.puzzles.sokoban import LEVELS, Sokoban
from turnwise.envs.puzzles.sokoban_generate import Size, count_pushes, generate
from turnwise.envs.puzzles.sokoban_rules import MOVES, Position, drawn, moved, on_target, read
from turnwise.envs.puzzles.sokoban_solve import live_cells, solve

CORRIDOR = "#######\n#@$-$.#\n#-----#\n#######"


def placed(drawing: str, **kwargs: object) -> Sokoban:
    """A game in this position, with no plan."""
    game = Sokoban(**kwargs)  # type: ignore[arg-type]
    game.start(np.random.default_rng(0))
    game._room, game._position = read(drawing)
    game._plan = game._legal = None
    return game


def after(drawing: str, *moves: str) -> str | None:
    room, position = read(drawing)
    for move in moves:
        found = moved(room, position, move)
        if found is None:
            return None
        position = found
    return drawn(room, position)


def test_pushes_by_hand() -> None:
    assert after(CORRIDOR, "right") == "#######\n#-@$$.#\n#-----#\n#######"
    assert after(CORRIDOR, "right", "right") is None  # two boxes at once
    assert after(CORRIDOR, "up") is None  # a wall
    assert after(CORRIDOR, "down", "right", "right", "right") == "#######\n#-$-$.#\n#---@-#\n#######"
    assert after(CORRIDOR, "down", "right", "up") is None  # a box against a wall
    pushed = after(CORRIDOR, "down", "right", "right", "up", "right")
    assert pushed == "#######\n#-$-@*#\n#-----#\n#######"
    assert after("####\n#@.#\n####", "right") == "####\n#-+#\n####"


def test_drawings_are_read_back_and_others_refused() -> None:
    for drawing in (CORRIDOR, "#####\n#+*$#\n#####"):
        assert drawn(*read(drawing)) == drawing
    for bad, reason in (("##\n#", "rows of one length"), ("#--#", "one player"), ("#@x#", "signs")):
        with pytest.raises(ValueError, match=reason):
            read(bad)


def test_the_shortest_solution_by_hand() -> None:
    room, start = read("######\n#@$-.#\n#----#\n######")
    assert solve(room, start) == ("right", "right")
    room, start = read("#####\n#--.#\n#-$-#\n#@--#\n#####")
    assert solve(room, start) == ("up", "right", "down", "right", "up")  # five moves the other way round too
    assert solve(*read("#####\n#-.-#\n#@--#\n#$--#\n#####")) is None  # a box in a corner
    with pytest.raises(OverflowError, match="after 3 positions"):
        solve(room, start, most=3)


def test_live_cells_by_hand() -> None:
    room, _ = read("######\n#@--.#\n#----#\n#----#\n######")
    # dead: the bottom row and the left column, whose boxes have the wall where the player would have to stand
    rows = [[0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0]]
    live = {(r + 1) * 6 + c + 1 for r, row in enumerate(rows) for c, one in enumerate(row) if one}
    assert live_cells(room) == live


@pytest.mark.parametrize("level", ["easy", "medium"])
def test_small_rooms_hold_the_shortest_plan(level: str) -> None:
    size = LEVELS[level]
    for seed in range(25):
        made = generate(size, np.random.default_rng(seed))
        shortest = solve(made.room, made.start)
        assert shortest is not None
        assert len(made.plan) == len(shortest)
        assert count_pushes(made.room, made.start, made.plan) >= size.pushes
        assert 2 * len(made.plan) <= size.turns
        assert (made.room.height, made.room.width, len(made.room.targets)) == (size.height, size.width, size.boxes)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    height=st.integers(6, 10),
    width=st.integers(6, 12),
    boxes=st.integers(1, 4),
)
def test_every_room_is_solved_by_its_plan(seed: int, height: int, width: int, boxes: int) -> None:
    boxes = min(boxes, (height - 2) * (width - 2) // 9)
    made = generate(Size(height, width, boxes, 2 * boxes, 100 * boxes), np.random.default_rng(seed))
    room, here = made.room, made.start
    assert len(here.boxes) == len(room.targets) == boxes
    assert on_target(room, here) == 0
    border = {c for c in range(height * width) if c % width in (0, width - 1) or c // width in (0, height - 1)}
    assert border <= room.walls
    for move in made.plan:
        found = moved(room, here, move)
        assert found is not None
        here = found
    assert here.boxes == room.targets


@pytest.mark.parametrize(("side", "boxes"), [(6, 1), (12, 1), (20, 1), (12, 6), (20, 6)])
def test_the_smallest_number_of_turns_leaves_rooms_enough(side: int, boxes: int) -> None:
    game = Sokoban(height=side, width=side, boxes=boxes, turns=6 * boxes * side)
    for seed in range(3):
        game.start(np.random.default_rng(seed))
        assert 2 * len(game.solution()) <= game.settings.turns


def test_plans_with_an_impossible_move_are_refused() -> None:
    room, start = read(CORRIDOR)
    assert count_pushes(room, start, ["right"]) == 1
    with pytest.raises(ValueError, match="up is none in"):
        count_pushes(room, start, ["up"])


# The game

TWO = "#######\n#@$--.#\n#-$--.#\n#-----#\n#######"


def test_dense_rewards_are_the_share_of_boxes_on_targets() -> None:
    game = placed(TWO)
    rewards = [game.play(move).rewards["player_0"] for move in ("right", "right", "right")]
    assert rewards == [0.0, 0.0, 0.5]
    for move in ("left", "left", "left", "down"):
        game.play(move)
    assert game.seat is not None
    assert [game.play("right").rewards["player_0"] for _ in range(2)] == [0.0, 0.0]
    step = game.play("right")
    assert step == ({"player_0": 0.5}, True, False, {"boxes_on_targets": 2})
    assert "all boxes are on targets" in game.observe("player_0")


def test_a_box_that_leaves_its_target_takes_its_part_back() -> None:
    game = placed("#######\n#@$.--#\n#-$--.#\n#-----#\n#######")
    assert [game.play("right").rewards["player_0"] for _ in range(2)] == [0.5, -0.5]


def test_sparse_rewards_come_with_the_solution_alone() -> None:
    game = placed("######\n#@$-.#\n#----#\n######", dense=False)
    assert [game.play("right").rewards["player_0"] for _ in range(2)] == [0.0, 1.0]


def test_a_deadlock_ends_by_the_cap() -> None:
    game = placed("#####\n#-.-#\n#-$@#\n#---#\n#####", turns=36)
    game.play("left")
    game._position = Position(game._position.player, frozenset({3 * 5 + 1}))  # into the corner
    game._plan = game._legal = None
    with pytest.raises(Unsupported, match="cannot be solved any more"):
        game.solution()
    while game.seat is not None:
        step = game.play(game.legal()[0])
    assert step == ({"player_0": 0.0}, False, True, {"boxes_on_targets": 0})
    assert "the 36 moves are used up" in game.observe("player_0")


def test_the_solution_follows_play() -> None:
    game = placed("######\n#@-$.#\n#----#\n######")
    assert game.solution() == ("right", "right")
    game.play("down")
    assert game.solution() == ("up", "right", "right")
    game.play("right")
    assert game.solution() == ("left", "up", "right", "right")
    game.play("left")
    assert game.solution() == ("up", "right", "right")


def test_a_push_aside_is_solved_anew_where_it_can_be() -> None:
    game = placed("#######\n#-----#\n#-@$-.#\n#-----#\n#-----#\n#######")
    assert game.solution() == ("right", "right")
    for move in ("up", "right"):
        game.play(move)
    game.play("down")  # pushes the box out of its row
    plan = game.solution()
    room, here = game._room, game._position
    for move in plan:
        here = moved(room, here, move)  # type: ignore[assignment]
    assert here.boxes == room.targets


def test_a_large_position_off_the_plan_is_not_searched_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnwise.envs.puzzles.sokoban.SEARCHED", 5)
    game = placed(TWO)
    with pytest.raises(Unsupported, match="after 5 positions"):
        game.solution()


def test_illegal_moves_are_refused() -> None:
    game = placed(CORRIDOR)
    assert game.legal() == ("down", "right")
    with pytest.raises(IllegalAction, match=r"'up' is not possible now: the legal moves are \[down\], \[right\]"):
        game.play("up")
    assert set(MOVES) == {"up", "down", "left", "right"}


def test_words() -> None:
    game = placed("######\n#@$-.#\n#----#\n######", turns=36)
    game.play("right")
    assert game.observe("player_0") == (
        "You push a box right.\n######\n#-@$.#\n#----#\n######\n"
        "You stand at (2, 3). Boxes: (2, 4). Targets: (2, 5). Moves left: 35.\n"
        "Legal moves: [down], [left], [right]"
    )
    short = placed("######\n#@$-.#\n#----#\n######", prompt="compact")
    assert short.observe("player_0") == short.anchor() == "######\n#@$-.#\n#----#\n######"
    short.play("right")
    short.play("right")
    assert short.observe("player_0") == "######\n#--@*#\n#----#\n######\nover 1 of 1"
