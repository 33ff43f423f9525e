"""MiniGrid in words: what is told of a known grid, rewards and limits, copies, state keys, the expert."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from turnwise.envs.core import IllegalAction, Unsupported
from turnwise.envs.minigrid.game import MiniGridGame
from turnwise.envs.minigrid.names import LEFT_OUT, LEVELS, NO_EXPERT, game_id, has_expert
from turnwise.envs.minigrid.view import View, whole_grid
from turnwise.envs.minigrid.words import ACTIONS

DOZEN = (
    *("MiniGrid-Empty-Random-5x5-v0", "MiniGrid-DoorKey-6x6-v0", "MiniGrid-LavaGapS5-v0", "MiniGrid-MemoryS7-v0"),
    *("MiniGrid-Dynamic-Obstacles-Random-5x5-v0", "MiniGrid-PutNear-6x6-N2-v0", "MiniGrid-MultiRoom-N2-S4-v0"),
    *("BabyAI-GoToLocalS5N2-v0", "BabyAI-PutNextLocalS5N3-v0", "BabyAI-UnlockPickup-v0", "BabyAI-MiniBossLevel-v0"),
    "BabyAI-KeyInBox-v0",
)


def game_of(level: str = "MiniGrid-DoorKey-5x5-v0", *, seed: int = 0, **kwargs: Any) -> MiniGridGame:
    game = MiniGridGame(level_id=level, **kwargs)
    game.start(np.random.default_rng(seed))
    return game


def room(*rows: str, view: str = "agent", prompt: str = "full") -> MiniGridGame:
    """An empty level whose inner three by three cells are drawn: k red key, o blue ball, b green box, D L / doors.

    The agent is the arrow.
    """
    from minigrid.core.world_object import Ball, Box, Door, Goal, Key, Lava, Wall

    things: dict[str, Callable[[], Any]] = {
        "k": lambda: Key("red"),
        "o": lambda: Ball("blue"),
        "b": lambda: Box("green", Key("grey")),
        "D": lambda: Door("yellow"),
        "L": lambda: Door("red", is_locked=True),
        "/": lambda: Door("purple", is_open=True),
        "G": Goal,
        "~": Lava,
        "#": Wall,
        ".": lambda: None,
    }
    game = game_of("MiniGrid-Empty-5x5-v0", view=view, prompt=prompt)
    for y, row in enumerate(rows, start=1):
        for x, symbol in enumerate(row, start=1):
            if symbol in ">v<^":
                game._env.agent_pos, game._env.agent_dir = (x, y), ">v<^".index(symbol)
                game._env.grid.set(x, y, None)
            else:
                game._env.grid.set(x, y, things[symbol]())
    return game


def walk(game: MiniGridGame, *actions: str) -> list[float]:
    return [game.play(action).rewards["player_0"] for action in actions]


# --- words ------------------------------------------------------------------------------------------------------------


def test_the_agents_view_of_a_known_room() -> None:
    game = room("k.o", "b^/", "...")
    first = game.observe("player_0")
    assert first.startswith("You move in a world of square cells.") and "[turn left], [turn right]" in first
    view = first.partition("Your task: get to the green goal square.\n")[2]
    assert view.splitlines() == [
        "You carry nothing.",
        "You see:",
        "a green box 1 step left",
        "an open purple door 1 step right",
        "a wall 2 steps left",
        "a wall 2 steps right",
        "a red key 1 step forward and 1 step left",
        "a blue ball 1 step forward and 1 step right",
        "a wall 2 steps forward",
        *["#######"] * 5,  # the levels of this kind let one see through walls
        "##k.o##",
        "##b^/##",
    ]
    assert game.observe("player_0") == ""


def test_the_whole_grid_in_words() -> None:
    game = room("k.G", "<.L", "~D.", view="full")
    assert game.board("player_0").splitlines() == [
        "Your task: get to the green goal square.",
        "You are at column 1, row 2, and face west.",
        "You carry nothing.",
        "a red key at column 1, row 1",
        "a green goal square at column 3, row 1",
        "a locked red door at column 3, row 2",
        "lava at column 1, row 3",
        "a closed yellow door at column 2, row 3",
        "#####",
        "#k.G#",
        "#<.L#",
        "#~D.#",
        "#####",
    ]


def test_short_texts_stand_by_themselves() -> None:
    assert room("k.o", ".^.", "...", prompt="compact").observe("player_0").splitlines() == [
        "task get to the green goal square",
        "carry nothing",
        "see wall 2 left, wall 2 right, red key 1 forward 1 left, blue ball 1 forward 1 right, wall 2 forward",
    ]
    assert room("k.G", "<.L", "~D.", view="full", prompt="compact").observe("player_0").splitlines() == [
        "task get to the green goal square",
        "carry nothing",
        "at 1,2 facing west, ahead wall",
        "see green goal square 3,1, red key 1,1, lava 1,3, locked red door 3,2, closed yellow door 2,3",
    ]


def test_picking_up_unlocking_and_dropping_are_told() -> None:
    game = room("k..", "^.L", "...")
    game.play("pick up")
    assert "You carry a red key." in game.board("player_0") and "a red key 1 step" not in game.board("player_0")
    walk(game, "turn right", "forward")
    assert "a locked red door 1 step forward" in game.board("player_0")
    game.play("toggle")
    assert "an open red door 1 step forward" in game.board("player_0")
    walk(game, "turn left", "drop")
    board = game.board("player_0")
    assert "You carry nothing." in board and "a red key 1 step forward\n" in board


def test_opening_a_box_shows_what_it_held() -> None:
    game = room("b..", "^..", "...")
    before = game.anchor()
    game.play("toggle")
    assert "a grey key 1 step forward" in game.board("player_0")
    assert game.anchor() != before


def test_diffs_tell_only_what_changed() -> None:
    game = game_of("MiniGrid-Empty-5x5-v0", mode="diff", view="full")
    assert "You are at column 1, row 1, and face east." in game.observe("player_0")
    game.play("done")
    assert game.observe("player_0") == "Nothing that you see has changed."
    game.play("turn right")
    assert game.observe("player_0").splitlines() == [
        "@@ -1 +1 @@",
        "-You are at column 1, row 1, and face east.",
        "+You are at column 1, row 1, and face south.",
        "@@ -5 +5 @@",
        "-#>..#",
        "+#v..#",
    ]


def test_observations_hold_no_brackets_but_the_answers() -> None:
    game = game_of("BabyAI-BossLevel-v0")
    text = game.observe("player_0")
    assert text.count("[") == len(ACTIONS)
    game.play("turn left")
    assert "[" not in game.observe("player_0")


def test_view_finds_walls_only_inside_itself() -> None:
    view = View((), ("###", "#^#"), 1, 1)
    assert view.is_wall(1, 0) and view.is_wall(0, 1)
    assert not view.is_wall(1, 1) and not view.is_wall(-1, 0) and not view.is_wall(0, 2)


# --- rewards and endings ----------------------------------------------------------------------------------------------


def test_the_reward_is_minigrids() -> None:
    game = game_of("MiniGrid-Empty-5x5-v0")  # five steps of at most a hundred
    rewards = walk(game, "forward", "forward", "turn right", "forward", "forward")
    assert rewards == pytest.approx([0, 0, 0, 0, 1 - 0.9 * 5 / 100])
    assert game.seat is None and game.legal() == ()
    assert game.observe("player_0").endswith("The task is done after 5 steps.")
    with pytest.raises(IllegalAction, match="the game is over"):
        game.play("forward")


def test_lava_ends_the_game_without_reward() -> None:
    game = room(".~.", ".^.", "...")
    step = game.play("forward")
    assert (step.rewards, step.terminated, step.truncated) == ({"player_0": 0.0}, True, False)
    assert game.observe("player_0").endswith("The game is over: you have failed.")


def test_running_into_a_moving_obstacle_costs_one() -> None:
    game = game_of("MiniGrid-Dynamic-Obstacles-5x5-v0")
    assert game.legal() == ("turn left", "turn right", "forward") and game.utility_bounds == (-1.0, 1.0)
    assert "pick up" not in game.observe("player_0")
    step = (game.play("turn left"), game.play("forward"))[1]
    assert (step.rewards, step.terminated) == ({"player_0": -1.0}, True)


@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_both_limits_truncate(prompt: str) -> None:
    game = game_of("MiniGrid-Empty-5x5-v0", max_steps=2, prompt=prompt)
    assert [game.play("done")[1:3], game.play("done")[1:3]] == [(False, False), (False, True)]
    assert "The game was stopped after 2 steps." in game.observe("player_0")
    game = game_of("BabyAI-GoToObjS4-v0", prompt=prompt)  # MiniGrid's limit is 16
    ends = [game.play("done")[1:3] for _ in range(16)]
    assert ends == [(False, False)] * 15 + [(False, True)]


def test_the_last_step_of_the_limit_may_still_win() -> None:
    game = game_of("MiniGrid-Empty-5x5-v0", max_steps=5)
    step = [game.play(name) for name in ("forward", "forward", "turn right", "forward", "forward")][-1]
    assert (step.terminated, step.truncated) == (True, False)


@pytest.mark.parametrize("action", ["", "fly", "Forward", "left", "forward\n", "\x00", "\ud800", "x" * 100_000])
def test_what_is_no_action_changes_nothing(action: str) -> None:
    game = game_of()
    before = game.anchor()
    with pytest.raises(IllegalAction, match="is no action; the actions are \\[turn left\\]") as error:
        game.play(action)
    assert len(str(error.value)) < 300 and game.anchor() == before


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"level_id": "MiniGrid-Emty-5x5-v0"}, "did you mean 'MiniGrid-Empty-5x5-v0'"),
        ({"level_id": "MiniGrid-MultiRoom-N4-S5-v0"}, "is left out: its v1, which mends it, is here"),
        ({"level_id": 3}, "level is an id of MiniGrid's: got 3"),
        ({"view": "bird"}, "view is one of agent, full: got 'bird'"),
        ({"mode": "image"}, "mode is one of text, diff: got 'image'"),
        ({"prompt": "long"}, "prompt is one of full, compact: got 'long'"),
        ({"mode": "diff", "prompt": "compact"}, "mode 'diff' needs prompt 'full'"),
        ({"max_steps": 0}, "max_steps is at least 1"),
        ({"max_steps": True}, "max_steps is at least 1"),
    ],
)
def test_bad_settings_are_refused(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MiniGridGame(**({"level_id": "MiniGrid-Empty-5x5-v0"} | kwargs))


# --- episodes ---------------------------------------------------------------------------------------------------------


def transcript(game: MiniGridGame, seed: int, steps: int = 40) -> list[object]:
    """What happens in an episode of random play."""
    rng = np.random.default_rng(seed)
    game.start(rng)
    told: list[object] = []
    while game.seat is not None and len(told) < 3 * steps:
        told += [game.observe("player_0"), game.anchor(), game.play(game.sample_action(rng))]
    return told


@pytest.mark.parametrize("level", DOZEN)
def test_a_used_object_plays_like_a_fresh_one_and_nothing_else_is_touched(
    level: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before, numpy_before = random.getstate(), np.random.get_state()  # noqa: NPY002  # only looked at
    used = MiniGridGame(level_id=level)
    transcript(used, 9)
    for seed in range(3):
        assert transcript(used, seed) == transcript(MiniGridGame(level_id=level), seed)
    after = np.random.get_state()  # noqa: NPY002
    assert random.getstate() == before
    assert all(np.array_equal(old, new) for old, new in zip(numpy_before, after, strict=True))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("level", DOZEN)
@pytest.mark.parametrize(
    "duplicate", [MiniGridGame.clone, copy.deepcopy, lambda game: pickle.loads(pickle.dumps(game))]
)
def test_copies_play_on_alike_and_apart(level: str, duplicate: Callable[[MiniGridGame], MiniGridGame]) -> None:
    game, rng = game_of(level, seed=3), np.random.default_rng(3)
    for _ in range(3):
        game.play(game.sample_action(rng))
    twin, third = duplicate(game), duplicate(game)
    key = game.anchor()
    while twin.seat is not None and twin._steps < 40:
        action = twin.sample_action(rng)
        assert twin.play(action) == third.play(action)
        assert (twin.observe("player_0"), twin.anchor()) == (third.observe("player_0"), third.anchor())
    assert game.anchor() == key and game.seat is not None


def test_anchors_forget_time_and_remember_progress() -> None:
    game = game_of("MiniGrid-DoorKey-5x5-v0")
    start = game.anchor()
    game.play("turn left")
    assert game.anchor() != start
    game.play("turn right")
    assert game.anchor() == start
    other = game_of("MiniGrid-DoorKey-5x5-v0", seed=1)
    assert other.anchor() != start


def test_anchors_tell_how_far_a_sequence_of_instructions_is() -> None:
    game = game_of("BabyAI-GoToSeqS5R2-v0", seed=0)
    keys = {game.anchor()}
    for action in game.solution():
        game.play(action)
        keys.add(game.anchor())
    instructions = game._env.instrs
    before = game.anchor()
    instructions.a_done = instructions.b_done = False
    assert game.anchor() != before and len(keys) > 3


def test_before_the_start_a_game_says_so() -> None:
    game = pickle.loads(pickle.dumps(MiniGridGame(level_id="BabyAI-GoToLocal-v0"))).clone()
    assert (game.seat, game.legal(), game.task) == (None, (), "BabyAI-GoToLocal")
    for ask in (game.anchor, lambda: game.board("player_0"), game.solution, lambda: game.observe("player_0")):
        with pytest.raises(RuntimeError, match="call start"):
            ask()
    with pytest.raises(ValueError, match="needs the seat player_0"):
        game.observe("player_1")


# --- the expert -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [level for level in DOZEN if has_expert(level)])
def test_the_experts_plan_finishes_the_task(level: str) -> None:
    for seed in range(5):
        game = game_of(level, seed=seed)
        plan, key = game.solution(), game.anchor()
        assert (game.solution(), game.anchor()) == (plan, key)
        for at, action in enumerate(plan):
            assert game.solution() == plan[at:]
            step = game.play(action)
        assert step.terminated and step.rewards["player_0"] > 0


def test_the_expert_thinks_again_where_play_leaves_its_plan() -> None:
    game = game_of("BabyAI-GoToLocal-v0", seed=4)
    plan = game.solution()
    game.play("turn left" if plan[0] != "turn left" else "turn right")
    again = game.solution()
    assert again != plan[1:]
    assert sum(walk(game, *again)) > 0


def test_without_an_expert_there_is_no_solution() -> None:
    for level in ("MiniGrid-Empty-5x5-v0", "BabyAI-KeyInBox-v0"):
        game = game_of(level)
        assert not game.has_solution
        with pytest.raises(Unsupported, match="does not solve every episode"):
            game.solution()
    late = game_of("BabyAI-GoToLocal-v0", seed=4, max_steps=1)
    with pytest.raises(Unsupported, match="in time"):
        late.solution()


def test_a_finished_game_has_no_solution() -> None:
    game = game_of("BabyAI-GoToObjS4-v0")
    walk(game, *game.solution())
    with pytest.raises(Unsupported, match="the game is over"):
        game.solution()


# --- the list of levels -----------------------------------------------------------------------------------------------


def test_every_level_that_minigrid_registers_is_here_or_left_out_with_a_reason() -> None:
    import minigrid  # noqa: F401  # registers its levels
    from gymnasium.envs.registration import registry

    known = {name for name in registry if name.startswith(("MiniGrid-", "BabyAI-"))}
    assert known == set(LEVELS) | set(LEFT_OUT) and not set(LEVELS) & set(LEFT_OUT)
    assert len(set(map(game_id, LEVELS))) == len(LEVELS) == 167
    assert set(LEVELS) >= NO_EXPERT and all(LEFT_OUT.values())
    assert game_id("MiniGrid-MultiRoom-N4-S5-v1") == "MiniGrid/MultiRoom-N4-S5-LLM"


@pytest.mark.parametrize("family", ["MiniGrid-", "BabyAI-"])
def test_every_level_plays(family: str) -> None:
    for level in LEVELS:
        if level.startswith(family):
            game, rng = game_of(level, seed=1), np.random.default_rng(1)
            low, high = game.utility_bounds
            total, steps = 0.0, 0
            while game.seat is not None and steps < 30:
                text = game.observe("player_0")
                assert text.strip() and (steps == 0 or len(text) < 1200)
                assert whole_grid(game._env).sketch[0].strip("#?.") in ("", *"DL/")
                step = game.play(game.sample_action(rng))
                total, steps = total + step.rewards["player_0"], steps + 1
                assert not (step.terminated and step.truncated)
            assert low <= total <= high
            assert len(MiniGridGame(level_id=level, prompt="compact").level_id) == len(level)


@pytest.mark.slow
def test_the_expert_solves_every_level_that_it_is_said_to_solve() -> None:
    for level in filter(has_expert, LEVELS):
        for seed in range(20):
            game = game_of(level, seed=seed)
            assert sum(walk(game, *game.solution())) > 0, (level, seed)
