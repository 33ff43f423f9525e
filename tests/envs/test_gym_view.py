"""The Gymnasium view on the tiny games: who plays when, rewards, info, opponents, randomness."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from turnwise.envs.core import TextGame
from turnwise.envs.gym_view import TextGameEnv
from turnwise.envs.opponents import OpponentError
from turnwise.records import Reply, Request


class Recorder:
    """An agent that always says the same and keeps what it was asked."""

    name = "recorder"

    def __init__(self, text: str, *, finished: bool = True) -> None:
        self.text, self.finished = text, finished
        self.requests: list[Request] = []

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        self.requests += requests
        return [Reply(text=self.text, finished=self.finished) for _ in requests]


def test_an_episode_by_hand(duel: TextGame) -> None:
    env = TextGameEnv(duel, opponents=Recorder("[low]"))
    observation, info = env.reset(seed=1)
    assert observation == f"Your secret digit is {duel.secrets['player_0']}."  # type: ignore[attr-defined]
    assert info == {"seat": "player_0", "legal_actions": ("high", "low"), "status": "ok", "action": None}
    observation, reward, terminated, truncated, info = env.step("I go [high]")
    assert observation == "player_0: high\nplayer_1: low"
    assert (reward, terminated, truncated, info["action"]) == (0.0, False, False, "high")
    observation, reward, terminated, truncated, info = env.step("[high]")
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info == {"seat": "player_0", "legal_actions": (), "status": "ok", "action": "high"}


def test_the_second_seat_sees_what_the_opponent_did_first(duel: TextGame) -> None:
    env = TextGameEnv(duel, seat="player_1", opponents=Recorder("[high]"))
    observation, info = env.reset(seed=1)
    assert observation.endswith("player_0: high") and info["seat"] == "player_1"
    env.step("[low]")
    _, reward, terminated, _, _ = env.step("[low]")
    assert (reward, terminated) == (-1.0, True)


def test_an_agent_gets_its_whole_conversation_and_no_more(duel: TextGame) -> None:
    agent = Recorder("[low]")
    env = TextGameEnv(duel, opponents=agent)
    for _ in range(2):
        agent.requests.clear()
        env.reset(seed=1)
        env.step("[high]")
        env.step("[high]")
        first, second = agent.requests
        assert first.seat == "player_1" and first.game is duel and first.seed != second.seed
        secret = f"Your secret digit is {duel.secrets['player_1']}."  # type: ignore[attr-defined]
        assert [message.content for message in second.messages] == [
            f"{secret}\nplayer_0: high",
            "[low]",
            "player_1: low\nplayer_0: high",
        ]
        assert [message.role for message in second.messages] == ["user", "assistant", "user"]


def test_an_invalid_reply_of_the_learner_ends_in_a_loss(duel: TextGame) -> None:
    env = TextGameEnv(duel)
    env.reset(seed=1)
    observation, reward, terminated, truncated, info = env.step("dunno")
    assert (reward, terminated, truncated, info["status"]) == (-1.0, True, False, "unparsable")
    assert "no action was found" in info["reason"] and "forfeit" in observation


def test_a_retry_asks_the_learner_again(duel: TextGame) -> None:
    env = TextGameEnv(duel, invalid="retry(1)", opponents="first_legal")
    env.reset(seed=1)
    observation, reward, terminated, _, info = env.step("[x]")
    assert (reward, terminated, info["status"], info["action"]) == (0.0, False, "illegal", "x")
    assert observation.startswith("Your last reply was not valid: 'x'")
    assert env.step("[high]")[4]["status"] == "ok"


def test_an_opponents_invalid_or_cut_reply_pays_the_learner(duel: TextGame) -> None:
    for agent in (Recorder("dunno"), Recorder("[high]", finished=False)):
        env = TextGameEnv(duel, opponents=agent)
        env.reset(seed=1)
        observation, reward, terminated, _, info = env.step("[high]")
        assert (reward, terminated, info["status"]) == (1.0, True, "ok")
        assert "player_1 forfeited" in observation


def test_an_episode_that_ended_before_the_first_turn_is_reported_by_one_step(duel: TextGame) -> None:
    env = TextGameEnv(duel, seat="player_1", opponents=Recorder("dunno"))
    observation, info = env.reset(seed=1)
    assert "player_0 forfeited" in observation and info["legal_actions"] == ()
    assert env.step("[high]")[1:4] == (1.0, True, False)
    with pytest.raises(gym.error.ResetNeeded):
        env.step("[high]")


def test_max_turns_truncates(duel: TextGame) -> None:
    env = TextGameEnv(duel, max_turns=3)
    env.reset(seed=1)
    assert env.step("[high]")[1:4] == (0.0, False, False)
    assert env.step("[high]")[1:4] == (0.0, False, True)


def test_rewards_of_every_turn_add_up(guess: TextGame) -> None:
    env = TextGameEnv(guess)
    env.reset(seed=3)
    answer = guess.answer  # type: ignore[attr-defined]
    wrong = next(digit for digit in "01" if digit != answer)
    assert env.step(wrong)[1:4] == (-0.25, False, False)
    assert env.step(answer)[1:4] == (1.0, True, False)


def test_three_seats_with_an_opponent_each(chat: TextGame) -> None:
    others = {"player_1": Recorder("one"), "player_2": "random"}
    env = TextGameEnv(chat, opponents=others)
    assert env.reset(seed=0)[1]["legal_actions"] is None
    observation, reward, terminated, _, info = env.step("two words")
    assert observation.startswith("player_2 says: well")
    assert (reward, terminated, info["action"]) == (0.2, True, "two words")


def test_a_random_seat_is_drawn_from_the_envs_own_generator(duel: TextGame) -> None:
    env = TextGameEnv(duel, seat="random")
    env.reset(seed=4)
    seats = [env.reset()[1]["seat"] for _ in range(200)]
    env.reset(seed=4)
    assert seats == [env.reset()[1]["seat"] for _ in range(200)]
    assert 70 < seats.count("player_0") < 130


def test_random_opponents_and_samples_follow_their_seeds(duel: TextGame) -> None:
    def episode(env: TextGameEnv, seed: int) -> list[Any]:
        env.action_space.seed(seed)
        out: list[Any] = [env.reset(seed=seed)]
        while not (len(out) > 1 and (out[-1][2] or out[-1][3])):
            out.append(env.step(env.action_space.sample()))
        return out

    env = TextGameEnv(duel)
    episodes = [episode(env, seed) for seed in range(20)]
    assert episodes == [episode(TextGameEnv(duel), seed) for seed in range(20)]
    assert len({str(one) for one in episodes}) > 10
    assert {step[4]["status"] for one in episodes for step in one[1:]} == {"ok"}


def test_ansi_renders_what_the_learner_read_and_wrote(duel: TextGame) -> None:
    env = TextGameEnv(duel, opponents="first_legal", render_mode="ansi")
    first, _ = env.reset(seed=1)
    second = env.step("so [high]")[0]
    assert env.render() == f"{first}\nplayer_0: so [high]\n{second}"
    assert TextGameEnv(duel).render() is None


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_in_mid_episode_plays_on_by_itself(clone: Callable[[TextGameEnv], TextGameEnv]) -> None:
    env = TextGameEnv("TicTacToe-LLM", opponents="first_legal")
    env.reset(seed=5)
    env.step("[4]")
    twin = clone(env)
    over = False
    while not over:
        reply = twin.action_space.sample()
        step = twin.step(reply)
        assert step[4]["status"] == "ok"  # its space samples from its own game
        over = step[2]
        assert env.step(reply) == step


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"seat": "player_7"}, ValueError, "seat is one of player_0, player_1, or random: got 'player_7'"),
        ({"opponents": "randon"}, OpponentError, "did you mean 'random'"),
        ({"opponents": 3}, OpponentError, "an object with act"),
        ({"opponents": {"player_0": "random"}}, OpponentError, r"missing \['player_1'\]"),
        ({"opponents": {"player_1": "random", "player_9": "random"}}, OpponentError, r"unknown \['player_9'\]"),
        ({"invalid": "retyr(2)"}, ValueError, "did you mean"),
        ({"render_mode": "human"}, ValueError, "render_mode is ansi or None"),
        ({"prompt": "full"}, TypeError, "takes no arguments: got prompt"),
    ],
)
def test_bad_arguments_are_told(duel: TextGame, kwargs: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TextGameEnv(duel, **kwargs)


def test_misuse_is_told(duel: TextGame) -> None:
    env = TextGameEnv(duel)
    with pytest.raises(gym.error.ResetNeeded):
        env.step("[high]")
    env.reset(seed=0)
    with pytest.raises(TypeError, match="as a str: got int"):
        env.step(1)  # type: ignore[arg-type]
    assert env.step(np.str_("[high]"))[4]["status"] == "ok"


def test_an_opponent_that_never_learns_is_stopped(duel: TextGame) -> None:
    env = TextGameEnv(duel, opponents=Recorder("dunno"), invalid="noop")
    env.reset(seed=0)
    with pytest.raises(RuntimeError, match="player_1 gave 100 replies in a row that were not valid"):
        env.step("[high]")


def test_make_passes_its_arguments_on() -> None:
    env = gym.make("KuhnPoker-LLM", opponents="optimal", invalid="retry(2)", prompt="full", seat="random")
    observation, info = env.reset(seed=0)
    assert "poker" in observation.lower() and "check" in str(info["legal_actions"]) + observation.lower()
    assert gym.make("turnwise:KuhnPoker-LLM", prompt="compact").reset(seed=0)[0] != observation


@pytest.mark.parametrize("env_id", ["KuhnPoker-LLM", "TicTacToe-LLM", "Nim-LLM"])
def test_optimal_opponents_do_not_lose_on_average(env_id: str) -> None:
    env = gym.make(env_id, opponents="optimal", seat="random")
    env.reset(seed=0)
    env.action_space.seed(0)
    total = 0.0
    for _ in range(300):
        env.reset()
        over = False
        while not over:
            _, reward, over, _, _ = env.step(env.action_space.sample())
            total += float(reward)
    assert total / 300 < (0.0 if env_id == "KuhnPoker-LLM" else -0.5)


def test_games_without_an_optimal_policy_say_so_at_once() -> None:
    with pytest.raises(OpponentError, match="known for kuhn_poker"):
        gym.make("LeducPoker-LLM", opponents="optimal")


def test_vector_envs() -> None:
    env = gym.make_vec("TicTacToe-LLM", 3, vectorization_mode="sync")
    observations, _ = env.reset(seed=0)
    assert len(observations) == 3 and all(isinstance(text, str) for text in observations)
    _, _, _, _, info = env.step(["[0]", "[4]", "[8]"])
    assert list(info["status"]) == ["ok"] * 3
    with pytest.raises(ValueError, match="shared_memory"):
        gym.make_vec("TicTacToe-LLM", 2, vectorization_mode="async")
