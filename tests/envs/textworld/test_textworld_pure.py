"""Commands, feedback, rewards and settings of TextWorld games: what needs no interpreter."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs import textworld as kinds
from turnwise.envs.core import IllegalAction
from turnwise.envs.textworld import rewards, texts
from turnwise.envs.textworld.commands import LONGEST_COMMAND, META, read_command
from turnwise.envs.textworld.engine import Scene
from turnwise.envs.textworld.feedback import after_objective, clean, room_in
from turnwise.envs.textworld.recipes import Recipe
from turnwise.envs.textworld.rewards import Turn
from turnwise.envs.textworld.sources import GeneratedGames

# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "command"),
    [
        ("take key", "take key"),
        ("  Take   the key ", "Take the key"),
        ("I will look first. [look] No: [open Henderson's chest]", "open Henderson's chest"),
        ("\\boxed{go north}", "go north"),
        ("x" * 5000 + " [unlock type-2 box with key]", "unlock type-2 box with key"),
    ],
)
def test_the_command_of_a_reply(reply: str, command: str) -> None:
    assert read_command(reply) == command


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("look\ninventory", "one line"),
        ("take key. go north", "one line"),
        ("take key; restart", "one line"),
        ("bob, restart", "one line"),
        ("look\x00", "one line"),
        ("öffne", "one line"),
        ("\ud800", "one line"),
        ("", "one line"),
        ("go north then restart", "leave out 'then'"),
        ("restart", "no command of this game"),
        ("[QUIT]", "no command of this game"),
        ("Restore game", "no command of this game"),
        ("transcripts", "no command of this game"),  # the interpreter looks at nine letters
        ("oops restart", "no command of this game"),
        ("tw-trace-actions", "no command of this game"),
        ("look " * 21, "at most 100 characters, and this has 104"),
        ("a" * 100_000, "at most 100 characters"),
    ],
)
def test_what_would_confuse_or_leave_the_game_is_refused(reply: str, reason: str) -> None:
    with pytest.raises(IllegalAction, match=reason) as error:
        read_command(reply)
    assert len(str(error.value)) < 300


@given(st.text(max_size=300))
def test_any_text_is_a_plain_command_or_refused(reply: str) -> None:
    try:
        command = read_command(reply)
    except IllegalAction as error:
        assert 0 < len(str(error)) < 300 and "\n" not in str(error)
    else:
        assert command.isascii() and command.isprintable() and 0 < len(command) <= LONGEST_COMMAND
        assert command.split()[0].lower() not in META


# --- what the interpreter prints --------------------------------------------------------------------------------------


def test_banner_status_line_and_menu_are_cleaned_away() -> None:
    printed = (
        "\n\n\n        ________  __    __ \n       |        \\|  \\  |  \\\n        \\$$$$$$$$ >$$  $$ \n\n"
        "Find the key! Good luck!\n\n-= Dish-Pit =-\nYou see a [shiny] pan.\n\n\n>        -= Dish-Pit =-0/1"
    )
    assert clean(printed) == "Find the key! Good luck!\n-= Dish-Pit =-\nYou see a (shiny) pan."
    ending = "*** The End ***\n\nWould you like to RESTART, RESTORE a saved game, QUIT or UNDO the last command?\n> "
    assert clean(ending) == "*** The End ***"


def test_the_room_is_the_last_one_named() -> None:
    assert room_in("-= Attic =-\nDark.\n-= Old Hall =-\nBright.") == "Old Hall"
    assert room_in("You take the key.") is None
    assert after_objective("Find it!\n-= Hall =-", "Find it!") == "-= Hall =-"
    assert after_objective("-= Hall =-", "") == "-= Hall =-"


@pytest.mark.parametrize(
    ("objective", "task"),
    [
        (
            "You are now playing a profound game of TextWorld! Here is your task for today. First, go south.",
            "First, go south.",
        ),
        ("Who's got it and plays a round of TextWorld? You do! First, go.", "First, go."),
        (
            "Hey, thanks for coming over to the TextWorld today, there is something I need you to do for me. Open it.",
            "Open it.",
        ),
        ("Your objective is to take the cup from the TextWorld style box.", "Your objective is to take the cup "),
        ("", ""),
    ],
)
def test_the_task_comes_without_the_greeting(objective: str, task: str) -> None:
    assert texts.task_only(objective).startswith(task)


def test_the_short_text_is_short_and_keeps_what_can_be_done() -> None:
    commands = [f"examine thing {number}" for number in range(40)] + ["open chest", "take key"]
    text = texts.compact("Win. " * 100, "Hall", "-= Hall =-\n" + "word " * 100 + "A key lies here.", commands, (3, 30))
    task, place, told, can = text.splitlines()
    assert (task[:12], place) == ("task: Win. W", "at Hall, step 3 of 30")
    assert told.startswith("...") and told.endswith("A key lies here.") and len(told) == 120
    assert can == "can: open chest, take key"


# --- rewards ----------------------------------------------------------------------------------------------------------


def scene(score: int = 0, *, won: bool = False, lost: bool = False, plan: int = 0) -> Scene:
    return Scene("", score, won, lost, policy=("step",) * plan)


def paid(name: str, scenes: list[Scene], max_score: int = 0, plan: int = 0) -> list[float]:
    """The reward of every turn of an episode."""
    got: list[float] = []
    for before, after in pairwise(scenes):
        got.append(rewards.REWARDS[name](Turn(before, after, max_score, plan, sum(got))))
    return got


def test_sparse_and_score_rewards_by_hand() -> None:
    scenes = [scene(0), scene(1), scene(1), scene(2), scene(4, won=True)]
    assert paid("sparse", scenes, 4) == [0.0, 0.0, 0.0, 1.0]
    assert paid("score", scenes, 4) == [0.25, 0.0, 0.25, 0.5]
    assert paid("score", [scene(0), scene(1), scene(1, lost=True)], 4) == [0.25, 0.0]
    assert paid("score", [scene(0), scene(0, won=True)], 0) == [1.0]


def test_the_score_reward_is_the_guides_where_points_come_one_at_a_time() -> None:
    # the guide: (s_t - s_{t-1}) / n, n = number of turns that scored if the game is won, else the most points
    won = [scene(0), scene(1), scene(2), scene(2), scene(3, won=True)]
    assert paid("score", won, 3) == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])
    left = [scene(0), scene(1), scene(1)]
    assert paid("score", left, 3) == pytest.approx([1 / 3, 0])


def test_intermediate_rewards_by_hand() -> None:
    plans = [4, 3, 5, 4, 4, 1]  # shorter, longer, shorter, same, shorter
    scenes = [scene(plan=plan) for plan in plans] + [scene(won=True)]
    assert paid("intermediate", scenes, plan=4) == [0.25, -0.25, 0.25, 0.0, 0.25, 0.25]
    assert paid("intermediate", [scene(plan=4), scene(), scene(), scene(lost=True)], plan=4) == [-0.25, 0.0, -0.25]


@given(st.lists(st.integers(0, 5), min_size=2, max_size=60), st.booleans())
def test_returns_stay_within_their_bounds(numbers: list[int], won: bool) -> None:
    plans = [scene(plan=number + 1) for number in numbers] + [scene(won=won, lost=not won)]
    scores = [scene(score) for score in sorted(numbers)]
    assert -1.0 <= sum(paid("intermediate", plans, plan=3)) <= 1.0
    assert 0.0 <= sum(paid("score", scores, 5)) <= 1.0


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "kwargs", "message"),
    [
        ("coin_collector", {"level": "extreme"}, "level is one of easy, medium, hard: got 'extreme'"),
        ("coin_collector", {"difficulty": 301}, "difficulty is a whole number from 1 to 300: got 301"),
        ("coin_collector", {"difficulty": 290}, "difficulty 290 means 270 rooms, and a game holds 100: lower it"),
        ("coin_collector", {"goal": "none"}, "goal is one of detailed, brief: got 'none'"),
        ("treasure_hunter", {"difficulty": True}, "difficulty is a whole number from 1 to 30: got True"),
        ("cooking", {"go": 5}, "go is one of 1, 6, 9, 12: got 5"),
        ("cooking", {"recipe": 1, "take": 2}, "take is a whole number from 0 to 1: got 2"),
        ("cooking", {"cut": 1}, "cut is one of True, False: got 1"),
        ("cooking", {"split": "dev"}, "split is one of None, train, valid, test: got 'dev'"),
        ("simple", {"scoring": "rich"}, "scoring is one of dense, balanced, sparse: got 'rich'"),
        ("custom", {"rooms": 0}, "rooms is a whole number from 1 to 100: got 0"),
        ("custom", {"parallel_quests": 0}, "parallel_quests is a whole number from 1 to 10: got 0"),
        ("custom", {"reward": "dense"}, "reward is one of sparse, score, intermediate: got 'dense'"),
        ("custom", {"admissible": "yes"}, "admissible is one of True, False: got 'yes'"),
        ("custom", {"prompt": "long"}, "prompt is one of full, compact: got 'long'"),
        ("custom", {"max_steps": 0}, "max_steps is a whole number from 1"),
        ("custom", {"games": 0}, "games is a whole number from 1"),
        ("custom", {"first_game": -1}, "first_game is a whole number from 0"),
        ("custom", {"game_file": "zork1.z5"}, "a .z8 file that TextWorld made: got 'zork1.z5'"),
        ("custom", {"game_file": "nowhere.z8"}, "needs the .z8 file and its .json beside it: 'nowhere.z8'"),
        ("custom", {"game_file": "nowhere.z8", "rooms": 2}, "a game already made: leave out rooms"),
    ],
)
def test_bad_settings_are_refused_at_once(kind: str, kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        getattr(kinds, kind)(**kwargs)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        kinds.custom(colour=1)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(0, 100))
def test_games_are_drawn_from_the_pool(seed: int, games: int, first: int) -> None:
    recipe = Recipe(kind="custom", level="easy", settings=())
    drawn = GeneratedGames(recipe, games, first).draw(np.random.default_rng(seed))
    assert first <= drawn < first + games
    assert 0 <= GeneratedGames(recipe, None).draw(np.random.default_rng(seed)) < 2**31


def test_levels_are_told_and_set_the_limit_of_commands() -> None:
    game = kinds.cooking(level="medium")
    assert (game.task, game.level, game.levels, game.max_steps) == ("cooking", "medium", ("easy", "medium", "hard"), 60)
    assert game.utility_bounds == (0.0, 1.0) and not game.dense_rewards
    assert kinds.cooking(reward="intermediate").utility_bounds == (-1.0, 1.0)
