"""KeyDoor and its mazes: passages, shortest ways, the key, the door, the lamp."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.core import IllegalAction
from turnwise.envs.credit.key_door import KeyDoor
from turnwise.envs.credit.maze import Maze, draw_maze, make_maze

CORRIDOR = Maze(1, 3, frozenset({((1, 1), (1, 2)), ((1, 2), (1, 3))}))


def corridor(**kwargs: object) -> KeyDoor:
    """Three rooms in a row: the door in the first, the seat in the second, the key in the third."""
    game = KeyDoor(height=1, width=3, turns=6, **kwargs)  # type: ignore[arg-type]
    game.start(np.random.default_rng(0))
    game._maze, game._door, game._place, game._key = CORRIDOR, (1, 1), (1, 2), (1, 3)
    return game


def test_a_maze_by_hand() -> None:
    game = corridor()
    assert game.legal() == ("east", "west")
    assert game.board("player_0") == (
        "#######\n#D-@-K#\n#######\nYou are at (1, 2). The key is at (1, 3). The door is at (1, 1). Turns left: 6.\n"
        "You can choose: [east], [west]."
    )
    plan = ("east", "take key", "west", "west", "open door")
    assert game.solution() == plan
    with pytest.raises(IllegalAction, match=r"'open door' is not possible now: you can choose \[east\], \[west\]"):
        game.play("open door")
    for number, action in enumerate(plan[:-1], 1):
        assert game.play(action) == ({"player_0": 0.0}, False, False, {})
        assert game.solution() == plan[number:]
    assert game.legal() == ("east", "open door")
    assert game.anchor() == "#######\n#@----#\n#######\nkey"
    twin = game.clone()
    assert game.play("open door") == ({"player_0": 1.0}, True, False, {})
    assert game.observe("player_0") == "You open the door: you are out."
    assert twin.play("east") == ({"player_0": 0.0}, False, False, {})
    assert twin.play("west") == ({"player_0": 0.0}, True, False, {})  # the six turns are over


def test_the_lamp_goes_out() -> None:
    game = corridor()
    for action in ("east", "west") * 2 + ("east",):
        assert not game.play(action).terminated
    assert game.solution() == ("take key",)
    assert game.play("take key") == ({"player_0": 0.0}, True, False, {})
    assert game.observe("player_0") == "You take the key. The game is over: the lamp has gone out."


def test_dense_rewards() -> None:
    game = corridor(dense=True)
    assert [game.play(action).rewards["player_0"] for action in game.solution()] == [0.0, 0.5, 0.0, 0.0, 0.5]


def test_turns_leave_the_anchor() -> None:
    game = corridor()
    before = game.anchor()
    game.play("east")
    game.play("west")
    assert game.anchor() == before


def test_compact_words() -> None:
    game = corridor(prompt="compact")
    assert game.observe("player_0") == "at 1 2 key 1 3 door 1 1 left 6 east west"
    game.play("east")
    game.play("take key")
    assert game.observe("player_0") == "at 1 3 door 1 1 left 4 west"


@given(height=st.integers(1, 5), width=st.integers(1, 5), seed=st.integers(0, 1000))
def test_every_room_is_reached(height: int, width: int, seed: int) -> None:
    maze = make_maze(height, width, np.random.default_rng(seed))
    rooms = height * width
    assert rooms - 1 <= len(maze.passages) <= rooms - 1 + rooms // 6
    assert all(len(maze.way((1, 1), (row + 1, column + 1))) < rooms for row in range(height) for column in range(width))
    assert draw_maze(maze, {}).count("-") == rooms + len(maze.passages)


def test_the_shortest_way_goes_round_a_wall() -> None:
    square = Maze(2, 2, frozenset({((1, 1), (2, 1)), ((2, 1), (2, 2)), ((1, 2), (2, 2))}))
    assert square.way((1, 1), (1, 2)) == ("south", "east", "north")
    assert square.exits((2, 2)) == ("north", "west")


@pytest.mark.parametrize(("height", "width"), [(1, 3), (2, 4), (4, 4)])
def test_mazes_that_take_too_long_are_not_drawn(height: int, width: int) -> None:
    game, lengths = KeyDoor(height=height, width=width, turns=height + width + 2), []
    for seed in range(50):
        game.start(np.random.default_rng(seed))
        assert game.solution()[-1] == "open door"
        lengths.append(len(game.solution()))
    assert max(lengths) <= height + width + 2
    assert len(set(lengths)) > 1
