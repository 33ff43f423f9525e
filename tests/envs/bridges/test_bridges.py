"""Environments of other collections: the same seed, the same game, and nothing of theirs leaks into the process."""

from __future__ import annotations

import pickle
import random
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, seed_test

import turnwise
from turnwise.envs.bridges.gymnasium_game import GymnasiumGame, named_actions
from turnwise.envs.bridges.reasoning import LEFT_OUT, WITHOUT_TRUTH, reasoning_gym_game
from turnwise.envs.bridges.textarena import TextArenaGame
from turnwise.envs.bridges.undisturbed import OwnChance
from turnwise.envs.core import EnvFailure, TextGame
from turnwise.envs.referee import Referee
from turnwise.envs.registry import GAMES

IDS = [env_id for env_id, spec in GAMES.items() if spec.family == "bridges"]


def transcript(game: TextGame, seed: int, turns: int = 30) -> list[tuple[str, str, dict[str, float]]]:
    """(seat, observation, rewards) of random play."""
    rng = np.random.default_rng(seed)
    game.start(np.random.default_rng(seed))
    found = []
    while game.seat and len(found) < turns:
        seat, text = game.seat, game.observe(game.seat)
        found.append((seat, text, dict(game.play(game.sample_action(rng)).rewards)))
    return found


@pytest.mark.parametrize("env_id", IDS)
def test_official_checkers(env_id: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api_test(turnwise.aec_env(env_id), num_cycles=20)
        seed_test(lambda: turnwise.aec_env(env_id), num_cycles=10)
        check_env(gym.make(env_id).unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_a_seed_fixes_the_game_and_the_process_is_left_alone(env_id: str) -> None:
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002  # the state is only looked at
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    game = turnwise.make_game(env_id)
    first = transcript(game, 3)
    random.seed(8)
    assert transcript(turnwise.make_game(env_id), 3) == first
    assert transcript(game, 3) == first
    random.seed(7)
    transcript(game, 4)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


@pytest.mark.parametrize("env_id", IDS)
def test_copies_go_their_own_way(env_id: str) -> None:
    game = turnwise.make_game(env_id)
    game.start(np.random.default_rng(5))
    game.observe(game.seat or "")
    rng = np.random.default_rng(0)
    action = game.sample_action(rng)
    twin, stored = game.clone(), pickle.loads(pickle.dumps(game))
    told = []
    for one in (game, twin, stored):
        rewards = one.play(action).rewards
        told.append((rewards, one.observe(one.seat or one.seats[0])))
    assert told[0] == told[1] == told[2]


# --- Gymnasium -------------------------------------------------------------------------------------------------------


def test_frozen_lake_by_hand() -> None:
    game = turnwise.make_game("Gymnasium/FrozenLake-LLM")
    game.start(np.random.default_rng(0))
    assert game.observe("player_0").splitlines()[1:5] == ["P...", ".H.H", "...H", "H..G"]
    for action in ("down", "down", "right", "right", "down"):
        assert game.play(action).rewards == {"player_0": 0.0}
    step = game.play("right")
    assert (step.rewards, step.terminated) == ({"player_0": 1.0}, True)
    assert game.observe("player_0").endswith("You are at the goal.")


def test_a_limit_truncates_and_a_fall_costs() -> None:
    game = turnwise.make_game("Gymnasium/CliffWalking-LLM", max_steps=2)
    game.start(np.random.default_rng(0))
    assert game.play("right").rewards == {"player_0": -100.0}
    step = game.play("up")
    assert (step.rewards, step.terminated, step.truncated) == ({"player_0": -1.0}, False, True)


class Broken(gym.Env[int, int]):
    observation_space = gym.spaces.Discrete(2)
    action_space = gym.spaces.MultiDiscrete([2, 2])

    def __init__(self, fails: str = "step") -> None:
        self.fails = fails

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        if self.fails == "reset":
            raise OSError("no disk")
        return 0, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        if self.fails == "step":
            raise KeyError("gone")
        return 1, 5.0, True, False, {}


def test_failures_of_a_foreign_environment_end_the_episode() -> None:
    for fails, bounds, reason in (
        ("step", (-1, 9), "failed in step: KeyError: 'gone'"),
        ("reset", (-1, 9), "failed in reset: OSError: no disk"),
        ("", (-1, 1), r"the return is 5, outside of bounds=\(-1, 1\)"),
    ):
        game = GymnasiumGame(Broken, env_kwargs={"fails": fails}, bounds=bounds)
        with pytest.raises(EnvFailure, match=reason):
            game.start(np.random.default_rng(0))
            game.play("0,1")
        referee = Referee(game)
        referee.start(0)
        if referee.seat:
            referee.submit("[1,1]")
        assert referee.status == "env_error"


def test_actions_are_named_after_the_space() -> None:
    assert named_actions(gym.spaces.Discrete(3, start=2)) == {"2": 2, "3": 3, "4": 4}
    assert list(named_actions(gym.spaces.MultiDiscrete([2, 2])) or ()) == ["0,0", "0,1", "1,0", "1,1"]
    assert named_actions(gym.spaces.Text(5)) is None
    with pytest.raises(ValueError, match="has no few actions to name"):
        named_actions(gym.spaces.Box(0, 1))


# --- reasoning-gym ---------------------------------------------------------------------------------------------------


def test_the_answer_is_scored_by_the_dataset() -> None:
    game = reasoning_gym_game(dataset="countdown", config={"min_numbers": 3, "max_numbers": 3})
    game.start(np.random.default_rng(0))
    assert game.play(f"<answer>{game.ground_truth()}</answer>").rewards == {"player_0": 1.0}
    game.start(np.random.default_rng(0))
    assert 0 < game.play("<answer>1+1</answer>").rewards["player_0"] < 0.1


def test_a_hostile_answer_scores_nothing_and_does_nothing(tmp_path: Any) -> None:
    game = reasoning_gym_game(dataset="countdown")
    for attack in (f"__import__('pathlib').Path('{tmp_path}/x').touch()", "9**9**9**9", "(" * 19_000):
        game.start(np.random.default_rng(0))
        assert game.play(f"<answer>{attack}</answer>").rewards["player_0"] <= 0.05
    assert list(tmp_path.iterdir()) == []


def test_datasets_that_cannot_be_used_say_so() -> None:
    with pytest.raises(ValueError, match="composite cannot be used here: it needs the parts"):
        reasoning_gym_game(dataset="composite")
    with pytest.raises(ValueError, match="has no dataset 'countup'; it has "):
        reasoning_gym_game(dataset="countup").start(np.random.default_rng(0))


@pytest.mark.slow
def test_every_dataset_asks_and_scores() -> None:
    from reasoning_gym.factory import DATASETS

    for name in sorted(set(DATASETS) - set(LEFT_OUT)):
        game = reasoning_gym_game(dataset=name)
        game.start(np.random.default_rng(1))
        assert len(game.observe("player_0")) > 20
        assert game.has_ground_truth == (name not in WITHOUT_TRUTH)
        answer = game.ground_truth() if game.has_ground_truth else "?"
        reward = game.play(f"<answer>{answer}</answer>").rewards["player_0"]
        assert (reward == 1.0) if game.has_ground_truth else (0.0 <= reward <= 1.0), name


# --- TextArena -------------------------------------------------------------------------------------------------------


def test_a_game_of_textarena_is_won() -> None:
    game = TextArenaGame()
    game.start(np.random.default_rng(0))
    for cell in (0, 3, 1, 4):
        assert game.play(f"[{cell}]").rewards == {}
    step = game.play("[2]")
    assert (step.rewards, step.terminated, game.seat) == ({"player_0": 1.0, "player_1": -1.0}, True, None)


def test_what_cannot_start_is_a_failure() -> None:
    with pytest.raises(EnvFailure, match="TextArena's Debate-v0 failed: ValueError: OpenRouter"):
        TextArenaGame("Debate-v0").start(np.random.default_rng(0))
    game = TextArenaGame("Countdown-v0", 1)
    game.start(np.random.default_rng(0))
    with pytest.raises(EnvFailure, match="TextArena's Countdown-v0 failed: ValueError: could not convert"):
        for _ in range(9):  # its second invalid reply is answered with a sentence in place of a reward
            game.play("?")
    with pytest.raises(ValueError, match="TextArena has no 'Ludo-v0'"):
        TextArenaGame("Ludo-v0").start(np.random.default_rng(0))
    with pytest.raises(ValueError, match="players is at least 1"):
        TextArenaGame(players=0)


OFFLINE = {
    **dict.fromkeys(("2048", "Blackjack", "FrozenLake", "GuessTheNumber", "Mastermind", "Minesweeper"), 1),
    **dict.fromkeys(("ConnectFour", "KuhnPoker", "LiarsDice", "Nim", "Othello", "PigDice", "SimpleNegotiation"), 2),
    **dict.fromkeys(("Snake", "Stratego", "TruthAndDeception", "UltimateTicTacToe", "Poker", "Chopsticks"), 2),
    "ThreePlayerIPD": 3,
    "SettlersOfCatan": 4,
    "SecretMafia": 6,
}


@pytest.mark.parametrize("name", OFFLINE)
def test_games_of_textarena_play_from_a_seed(name: str) -> None:
    players = OFFLINE[name]
    first = transcript(TextArenaGame(f"{name}-v0", players), 2, turns=6)
    assert first and transcript(TextArenaGame(f"{name}-v0", players), 2, turns=6) == first


def test_chance_of_its_own_goes_on_where_it_was() -> None:
    one, other = OwnChance(), OwnChance()
    random.seed(1)
    with one(5):
        first = random.random()
    with other(5):
        assert random.random() == first
    with one():
        second = random.random()
    with other():
        assert random.random() == second != first
    outside = random.random()
    random.seed(1)
    assert random.random() == outside
