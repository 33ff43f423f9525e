"""ALFWorld as a game: prompts, replies, endings, solutions, and the official checkers."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st
from pettingzoo.test import api_test, seed_test

import turnwise
from turnwise.envs.alfworld import ALFWorld
from turnwise.envs.alfworld.goals import TASKS
from turnwise.envs.core import IllegalAction, Unsupported
from turnwise.envs.parsing import read_action
from turnwise.envs.referee import Referee

IDS = ("ALFWorld-LLM", *(f"ALFWorld/{task}-LLM" for task in TASKS))
SEAT = "player_0"


def started(seed: int = 0, **kwargs: Any) -> ALFWorld:
    game = ALFWorld(**kwargs)
    game.start(np.random.default_rng(seed))
    return game


def test_the_ids_are_there_and_play_their_task() -> None:
    for env_id in IDS[1:]:
        game = turnwise.make_game(env_id)
        assert game.task == env_id.removeprefix("ALFWorld/").removesuffix("-LLM")
        game.start(np.random.default_rng(0))
        assert game.task in TASKS and game.task in env_id


def test_the_mix_plays_all_six_tasks_about_as_often() -> None:
    game = ALFWorld(split="valid_seen")
    rng = np.random.default_rng(0)
    counts = dict.fromkeys(TASKS, 0)
    for _ in range(300):
        game.start(rng)
        counts[game.task or ""] += 1
    assert all(25 <= count <= 80 for count in counts.values()), counts


def test_a_pool_of_six_holds_one_game_of_each_task() -> None:
    game = ALFWorld(games=6)
    rng = np.random.default_rng(0)
    names = set()
    for _ in range(100):
        game.start(rng)
        names.add(game.engine.world.problem.name)
    assert names == {f"train/{task}/0" for task in TASKS}


@pytest.mark.parametrize("prompt", ["full", "compact"])
@pytest.mark.parametrize("admissible", [True, False])
def test_the_solution_wins_and_earns_one(prompt: str, admissible: bool) -> None:
    for task in TASKS:
        game = started(3, task=task, prompt=prompt, admissible=admissible)
        commands = game.solution()
        assert "\n".join(commands) == game.ground_truth()
        for command in commands[:-1]:
            step = game.play(command)
            assert step.rewards == {SEAT: 0.0} and not (step.terminated or step.truncated)
        step = game.play(game.solution()[0])
        assert (step.rewards, step.terminated, step.truncated) == ({SEAT: 1.0}, True, False)
        assert game.seat is None and game.observe(SEAT).endswith("The chore is done.") and game.observe(SEAT) == ""
        assert not game.legal()
        with pytest.raises(IllegalAction, match="over"):
            game.play("look")


def test_the_full_prompt_holds_rules_then_the_engines_text() -> None:
    game = started(1)
    first = game.observe(SEAT)
    assert first.startswith("You are in a house") and "[go to shelf 1]" in first and "50 commands" in first
    assert game.engine.feedback in first
    assert first.endswith(f"Admissible commands: {', '.join(game.legal() or ())}")
    game.play("inventory")
    assert game.observe(SEAT) == (
        f"You are not carrying anything.\nAdmissible commands: {', '.join(game.legal() or ())}"
    )


def test_without_admissible_commands_none_are_told() -> None:
    for prompt in ("full", "compact"):
        game = started(1, admissible=False, prompt=prompt)
        assert game.legal() is None
        assert "dmissible" not in game.observe(SEAT) and "can:" not in game.board(SEAT)
        step = game.play("dance on the table")
        assert step.info == {"admissible": False, "feedback": "Nothing happens."}
        assert "Nothing happens." in game.observe(SEAT) and game.steps == 1


@pytest.mark.parametrize(
    "reply", ["[inventory]", "I wonder. [look] [Inventory]", " inventory ", "\\boxed{inventory}", "[in ventory]"]
)
def test_free_replies_name_their_command_in_brackets_or_are_it(reply: str) -> None:
    step = started(1, admissible=False).play(reply)
    assert step.info == {"admissible": True, "feedback": "You are not carrying anything."}


def test_an_inadmissible_command_is_illegal_where_commands_are_listed() -> None:
    game = started(1)
    before = game.anchor(), game.legal(), game.steps
    for text in ("go to narnia 1", "", "♠", "x" * 100_000, "\x00", "look\ninventory"):
        with pytest.raises(IllegalAction) as error:
            game.play(text)
        assert str(error.value) == "the command is not admissible now"
    assert (game.anchor(), game.legal(), game.steps) == before


@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_the_limit_truncates(prompt: str) -> None:
    game = started(1, max_steps=2, prompt=prompt)
    assert not game.play("look").truncated
    step = game.play("look")
    assert (step.rewards, step.terminated, step.truncated) == ({SEAT: 0.0}, False, True)
    assert game.observe(SEAT).endswith("The limit of 2 commands is reached.")


def test_no_solution_is_told_where_the_steps_do_not_allow_it() -> None:
    with pytest.raises(Unsupported, match="with 2 commands from here"):
        started(1, max_steps=2).solution()


def test_compact_observations_are_short_and_whole() -> None:
    lengths = []
    for seed in range(20):
        game, rng = started(seed, prompt="compact"), np.random.default_rng(seed)
        while game.seat:
            text = game.observe(SEAT)
            assert text.startswith(f"task: {game.engine.world.problem.sentence}\n") and "\ncarry: " in text
            lengths.append(len(text))
            game.play(game.sample_action(rng))
    assert np.median(lengths) < 400 and max(lengths) < 800, (np.median(lengths), max(lengths))


def test_a_compact_observation_by_hand() -> None:
    game = started(1, prompt="compact", task="pick_heat_then_place_in_recep", games=1)
    assert game.observe(SEAT) == COMPACT


COMPACT = """task: heat some tomato and put it in garbagecan.
You are in the middle of a room.
carry: nothing
can: help; inventory; look; go to cabinet 1 10 2 3 4 5 6 7 8 9, coffeemachine 1, countertop 1, diningtable 1, \
drawer 1 2 3, fridge 1, garbagecan 1, microwave 1, shelf 1, sinkbasin 1, stoveburner 1 2, toaster 1
answer like [look]"""


def test_the_board_tells_what_was_seen() -> None:
    game = started(1, task="pick_heat_then_place_in_recep", games=1)
    assert "Seen so far:\nNot looked into: cabinet" in game.board(SEAT)
    anchor = game.anchor()
    for command in game.solution()[:2]:
        game.play(command)
    assert BOARD in game.board(SEAT) and game.anchor() != anchor


BOARD = """Your task is to: heat some tomato and put it in garbagecan.
You are at: coffeemachine 1, countertop 1
You carry: tomato 1
Seen so far:
- countertop 1: butterknife 1, cup 1, spoon 1
Not looked into: cabinet 10, cabinet 9,"""


def test_clones_and_pickles_play_on_alike() -> None:
    game, rng = started(5), np.random.default_rng(5)
    for _ in range(10):
        game.play(game.sample_action(rng))
    game.observe(SEAT)
    twin, thawed = game.clone(), pickle.loads(pickle.dumps(game))
    kept = game.anchor(), game.board(SEAT), game.legal()
    for other in (twin, thawed):
        assert (other.anchor(), other.board(SEAT), other.legal(), other.observe(SEAT)) == (*kept, "")
        same = np.random.default_rng(9)
        while other.seat:
            other.play(other.sample_action(same))
    assert twin.anchor() == thawed.anchor()
    assert (game.anchor(), game.board(SEAT), game.legal()) == kept


def test_a_used_object_starts_like_a_fresh_one() -> None:
    used = started(1)
    used.play("look")
    for seed in range(5):
        used.start(np.random.default_rng(seed))
        fresh = started(seed)
        assert (used.observe(SEAT), used.anchor(), used.steps) == (fresh.observe(SEAT), fresh.anchor(), 0)


def test_legal_names_read_back_and_are_unique() -> None:
    for seed in range(6):
        game, rng = started(seed), np.random.default_rng(seed)
        while game.seat:
            names = game.legal() or []
            keys = {"".join(name.split()).casefold() for name in names}
            assert len(keys) == len(names)
            assert all(read_action(f"[{name.upper()}]", names) == name for name in names)
            game.play(game.sample_action(rng))


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"split": "test"}, "split is one of train, valid_seen, valid_unseen: got 'test'"),
        ({"task": "juggle"}, "task is one of pick_and_place_simple, .*: got 'juggle'"),
        ({"games": 0}, "games is at least 1"),
        ({"max_steps": 0}, "max_steps is at least 1"),
        ({"prompt": "short"}, "prompt is one of full, compact"),
        ({"data": "auto"}, "data is one of generated, official: got 'auto'"),
        ({"root": "/tmp"}, "give data='official' with it"),
    ],
)
def test_bad_settings_say_what_is_allowed(kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ALFWorld(**kwargs)


@pytest.mark.parametrize("env_id", IDS)
def test_the_official_checkers(env_id: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(env_id).unwrapped)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they would rather see arrays and boxes
        api_test(turnwise.aec_env(env_id), num_cycles=100)
    seed_test(lambda: turnwise.aec_env(env_id, prompt="compact", split="valid_unseen"), num_cycles=30)


@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_the_checkers_without_a_list_of_commands(prompt: str) -> None:
    kwargs = {"admissible": False, "prompt": prompt, "max_steps": 10}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api_test(turnwise.aec_env(IDS[0], **kwargs), num_cycles=50)
    check_env(gym.make(IDS[0], **kwargs).unwrapped)
    seed_test(lambda: turnwise.aec_env(IDS[0], **kwargs), num_cycles=20)


ODD = ("[look]", "[", "]" * 100_000, "[" * 100_000, "\ud800", "help [help]")


@settings(max_examples=40, deadline=None)
@given(replies=st.lists(st.text(max_size=30) | st.sampled_from(ODD)))
def test_no_reply_escapes(replies: list[str]) -> None:
    for admissible in (True, False):
        referee = Referee(ALFWorld(admissible=admissible, max_steps=5), invalid="retry(3)")
        referee.start(0)
        for reply in replies:
            if referee.seat:
                assert len(referee.observe()) < 10_000
                referee.submit(reply)
