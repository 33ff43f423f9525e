"""Puzzles, bandits and the kitchen: the official checkers, and what every one of them keeps, in many variants."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
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
from turnwise.envs.core import IllegalAction, TextGame, Unsupported
from turnwise.envs.parsing import read_action, write_action
from turnwise.envs.referee import Referee
from turnwise.envs.registry import GAMES, make_game

IDS = [name for name, spec in GAMES.items() if spec.family in ("puzzles", "bandits", "kitchen")]
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in IDS),
    ("Game2048-LLM", {"size": 3, "target": 32, "dense": True}),
    ("Game2048-LLM", {"level": "medium"}),
    ("Sokoban-LLM", {"level": "medium", "dense": False}),
    ("Sokoban-LLM", {"level": "hard", "turns": 170}),
    ("Sokoban-LLM", {"height": 8, "width": 9, "boxes": 3}),
    ("Minesweeper-LLM", {"level": "medium", "dense": True}),
    ("Minesweeper-LLM", {"opening": "own", "solvable": False, "flags": False}),
    ("Minesweeper-LLM", {"opening": "own"}),
    ("Sudoku-LLM", {"level": "medium"}),
    ("Sudoku-LLM", {"wrong": "allow", "dense": True}),
    ("GuessTheNumber-LLM", {"level": "medium"}),
    ("Bandit-LLM", {"reward": "gaussian", "scenario": "ads", "history": "raw", "guide": True, "horizon": 20}),
    ("Bandit-LLM", {"level": "hard", "scenario": "clothes", "guide": True, "horizon": 30}),
    ("ContextualBandit-LLM", {"level": "hard", "guide": True, "scenario": "ads", "horizon": 10}),
    ("ContextualBandit-LLM", {"history": "raw", "guide": True, "features": 3, "horizon": 20}),
    ("Kitchen-LLM", {"layout": "pass", "players": 3, "shaped": True, "ticks": 30}),
    ("Kitchen-LLM", {"layout": "hall", "players": 4, "ticks": 20}),
]
CASES = [(name, {**kwargs, "prompt": prompt}) for name, kwargs in VARIANTS for prompt in ("full", "compact")]
LONGEST = 300
"""Replies; the longest games here are 2048 and the kitchen."""

each_id = pytest.mark.parametrize("env_id", IDS)
each = pytest.mark.parametrize(("env_id", "kwargs"), CASES, ids=[f"{name}-{kwargs}" for name, kwargs in CASES])


def play(game: TextGame, rng: np.random.Generator, most: int = LONGEST) -> list[Any]:
    """Random play to the end (or for so many turns): everything that was read and told on the way."""
    told: list[Any] = []
    for _ in range(most):
        if game.seat is None:
            break
        told += [game.seat, game.observe(game.seat), game.legal(), game.play(game.sample_action(rng))]
    return told + [game.observe(seat) for seat in game.seats]


def started(env_id: str, kwargs: dict[str, Any], seed: int = 0) -> TextGame:
    game = make_game(env_id, **kwargs)
    game.start(np.random.default_rng(seed))
    return game


@each_id
@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_official_checkers(env_id: str, prompt: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(env_id, prompt=prompt).unwrapped)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api_test(turnwise.aec_env(env_id, prompt=prompt), num_cycles=100)
        seed_test(lambda: turnwise.aec_env(env_id, prompt=prompt), num_cycles=50)


@each
def test_random_play_ends_within_the_bounds(env_id: str, kwargs: dict[str, Any]) -> None:
    referee = Referee(make_game(env_id, **kwargs))
    game = referee.game
    low, high = game.utility_bounds
    for seed in range(6):
        rng = np.random.default_rng(seed)
        referee.start(seed)
        early = []
        while referee.seat is not None:
            assert referee.observe().strip()
            outcome = referee.submit(write_action(game.sample_action(rng), game.legal()))
            assert outcome.status == "ok"
            early.append(any(outcome.rewards.values()))
        assert game.seat is None
        assert outcome.terminated != outcome.truncated
        assert referee.turns <= LONGEST
        assert all(low <= value <= high for value in referee.returns.values())
        assert game.dense_rewards or not any(early[:-1])
        assert len(set(referee.returns.values())) == 1  # one seat, or a common pay-off


@each
def test_a_seed_is_an_episode_also_for_a_used_object_and_between_other_games(
    env_id: str, kwargs: dict[str, Any]
) -> None:
    used, fresh = make_game(env_id, **kwargs), make_game(env_id, **kwargs)
    used.start(np.random.default_rng(99))
    play(used, np.random.default_rng(9), most=7)
    before, numpy_before = random.getstate(), np.random.get_state()  # noqa: NPY002  # the state is only looked at
    for game in (used, fresh):
        game.start(np.random.default_rng(5))
    assert play(used, np.random.default_rng(6)) == play(fresh, np.random.default_rng(6))
    assert random.getstate() == before
    after = np.random.get_state()  # noqa: NPY002
    assert all(np.array_equal(old, new) for old, new in zip(numpy_before, after, strict=True))


@each
def test_copies_play_on_alike_and_apart(env_id: str, kwargs: dict[str, Any]) -> None:
    game = started(env_id, kwargs)
    play(game, np.random.default_rng(1), most=3)
    copies = [game.clone(), pickle.loads(pickle.dumps(game))]
    seat, legal = game.seat, game.legal()
    ends = [play(each, np.random.default_rng(2)) for each in copies]
    assert (game.seat, game.legal()) == (seat, legal)
    assert ends[0] == ends[1] == play(game, np.random.default_rng(2))


@each
def test_observations_are_read_once_and_boards_change_nothing(env_id: str, kwargs: dict[str, Any]) -> None:
    game, twin, rng = started(env_id, kwargs), started(env_id, kwargs), np.random.default_rng(3)
    for _ in range(5):
        if game.seat is None:
            break
        seat = game.seat
        assert game.board(seat) and game.anchor()
        assert game.board(seat) == game.board(seat)
        text = game.observe(seat)
        assert text == twin.observe(seat) != ""
        assert game.observe(seat) == ""
        if kwargs["prompt"] == "compact" and "level" not in kwargs:
            assert len(text) < 400
        action = game.sample_action(rng)
        assert game.play(action) == twin.play(action)
    with pytest.raises(ValueError, match="observe needs one of the seats player_0"):
        game.observe("player_9")


@each
def test_legal_names_are_read_back_and_unique(env_id: str, kwargs: dict[str, Any]) -> None:
    game = started(env_id, kwargs)
    play(game, np.random.default_rng(4), most=2)
    legal = game.legal() or ()
    assert len({"".join(name.split()).casefold() for name in legal}) == len(legal)
    for name in legal:
        assert not set(name) & set("[]{}")
        for reply in (write_action(name, legal), name, f"\\boxed{{{name.upper()}}}"):
            assert read_action(reply, legal) == name


@each
def test_after_the_end_and_before_the_start_nothing_is_legal(env_id: str, kwargs: dict[str, Any]) -> None:
    game = make_game(env_id, **kwargs)
    assert game.seat is None
    assert not game.legal()
    game.start(np.random.default_rng(0))
    action = game.sample_action(np.random.default_rng(0))
    play(game, np.random.default_rng(0))
    assert not game.legal()
    for done in (game, make_game(env_id, **kwargs)):
        with pytest.raises(IllegalAction, match="the game is over"):
            done.play(action)


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["\x00", "\ud800", "reveal r0c0", "reveal r9999999999c1", "r1c1=٣", "flag", "=", "c", "-1", "1e9"]),
    st.tuples(st.sampled_from(["r1c1=", "[", "reveal ", "٣", "up"]), st.integers(5_000, 100_000)).map(
        lambda pair: (pair[0] * pair[1])[:100_000]
    ),
)


@each_id
@settings(max_examples=25, deadline=None)
@given(texts=st.lists(HOSTILE, min_size=1, max_size=4), seed=st.integers(0, 2**32))
def test_any_text_is_an_action_or_an_illegal_one(env_id: str, texts: list[str], seed: int) -> None:
    game = started(env_id, {}, seed)
    for text in texts:
        legal, before = game.legal() or (), pickle.dumps(game)
        if text in legal:
            game.play(text)
        else:
            with pytest.raises(IllegalAction) as error:
                game.play(text)
            assert 0 < len(str(error.value)) < 300
            assert pickle.dumps(game) == before


@each
def test_solutions_lead_to_the_optimum(env_id: str, kwargs: dict[str, Any]) -> None:
    game = started(env_id, kwargs, 11)
    if not game.has_solution:
        with pytest.raises(Unsupported):
            game.solution()
        return
    total = 0.0
    while game.seat is not None:
        plan = game.solution()
        total += game.play(plan[0]).rewards["player_0"]
        assert game.solution() == plan[1:]  # also () at the end
    if not env_id.endswith("Bandit-LLM"):
        assert total == game.utility_bounds[1]
        assert type(game).__name__ == "GuessTheNumber" or game.solution() == ()


HASHED = """
import hashlib, sys
import numpy as np
from turnwise.envs.registry import GAMES, make_game
told = []
for env_id in sorted(GAMES):
    if GAMES[env_id].family in ("puzzles", "bandits", "kitchen"):
        game, rng = make_game(env_id), np.random.default_rng(1)
        for seed in range(3):
            game.start(np.random.default_rng(seed))
            while game.seat is not None:
                told += [game.observe(game.seat), repr(game.play(game.sample_action(rng)))]
print(hashlib.sha256("".join(told).encode()).hexdigest())
"""


def test_episodes_do_not_depend_on_the_hash_seed() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", HASHED], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1")
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("env_id", "kwargs", "message"),
    [
        *((env_id, {"prompt": "short"}, "prompt is one of full, compact: got 'short'") for env_id in IDS),
        *((env_id, {"level": "x"}, "level is one of easy") for env_id in IDS if env_id != "Kitchen-LLM"),
        ("Game2048-LLM", {"target": 100}, "power of two, such as 64 or 2048: got 100"),
        ("Game2048-LLM", {"size": 2, "target": 32}, "target is a whole number from 8 to 16: got 32"),
        ("Game2048-LLM", {"size": True}, "size is a whole number from 2 to 8: got True"),
        ("Sokoban-LLM", {"boxes": 2}, "boxes is a whole number from 1 to 1: got 2"),
        ("Sokoban-LLM", {"height": 20, "turns": 77}, "turns is a whole number from 78 to 5000: got 77"),
        ("Sokoban-LLM", {"height": 5}, "height is a whole number from 6 to 20"),
        ("Minesweeper-LLM", {"mines": 6}, "mines is a whole number from 1 to 5: got 6"),
        ("Minesweeper-LLM", {"opening": "any"}, "opening is one of given, own"),
        ("Sudoku-LLM", {"size": 5}, "size is one of 4, 6, 9: got 5"),
        ("Sudoku-LLM", {"empty": 11}, "empty is a whole number from 1 to 10: got 11"),
        ("Sudoku-LLM", {"wrong": "ignore"}, "wrong is one of refuse, allow"),
        ("GuessTheNumber-LLM", {"high": 1}, "high is a whole number from 2 to 10000: got 1"),
        ("Bandit-LLM", {"arms": 31}, "arms is a whole number from 2 to 30: got 31"),
        ("Bandit-LLM", {"reward": "poisson"}, "reward is one of bernoulli, gaussian"),
        ("Bandit-LLM", {"history": "none"}, "history is one of raw, summary"),
        ("ContextualBandit-LLM", {"features": 0}, "features is a whole number from 1 to 10"),
        ("ContextualBandit-LLM", {"scenario": "buttons"}, "scenario is one of clothes, ads: got 'buttons'"),
        ("Kitchen-LLM", {"players": 5}, "players is a whole number from 2 to 4: got 5"),
        ("Kitchen-LLM", {"layout": "mess"}, "layout is one of cramped, ring, split, pass, hall: got 'mess'"),
    ],
)
def test_impossible_arguments_are_refused(env_id: str, kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_game(env_id, **kwargs)


@each_id
def test_levels_are_told_where_nothing_else_was_asked_for(env_id: str) -> None:
    game = make_game(env_id)
    assert game.level == (game.levels[0] if game.levels else None)
    if env_id == "Sudoku-LLM":
        assert make_game(env_id, empty=5).level is None
        assert make_game(env_id, level="hard").level == "hard"
