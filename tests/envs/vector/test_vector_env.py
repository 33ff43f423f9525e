"""The vector environment: every env is the single one, in all modes of reset and all ways to step."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given
from hypothesis import strategies as st

import turnwise
from turnwise.envs.core import TextGame
from turnwise.envs.gym_view import TextGameEnv
from turnwise.envs.parsing import read_action
from turnwise.envs.vector import TextVectorEnv
from turnwise.envs.vector_info import gather

CASES: list[tuple[str, dict[str, Any]]] = [
    ("KuhnPoker-LLM", {"seat": "random"}),
    ("TicTacToe-LLM", {"opponents": "optimal", "invalid": "retry(1)"}),
    ("SimpleNegotiation-LLM", {"seat": "player_1"}),
    ("LeducPoker-LLM", {"prompt": "compact", "max_turns": 4, "invalid": "random_legal"}),
    ("Nim-LLM", {"history": "full", "invalid": "penalty(0.25)"}),
]


def same(left: Any, right: Any) -> bool:
    """Equal infos, arrays and all."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and left.tolist() == right.tolist()
    return bool(left == right)


def replies(env: Any, rng: np.random.Generator) -> list[str]:
    """Legal ones, and now and then nonsense."""
    sampled = env.action_space.sample()
    return ["what? [x]" if rng.random() < 0.1 else reply for reply in sampled]


@pytest.mark.parametrize(("env_id", "kwargs"), CASES)
def test_three_envs_are_three_single_ones(env_id: str, kwargs: dict[str, Any]) -> None:
    env = gym.make_vec(env_id, 3, **kwargs)
    singles = [TextGameEnv(env_id, **kwargs) for _ in range(3)]
    env.action_space.seed(0)
    rng = np.random.default_rng(0)
    observations, infos = env.reset(seed=11)
    begun = [single.reset(seed=11 + i) for i, single in enumerate(singles)]
    assert observations == tuple(text for text, _ in begun)
    assert same(infos, gather([info for _, info in begun]))
    over = [False] * 3
    for _ in range(60):
        actions = replies(env, rng)
        observations, rewards, terminations, truncations, infos = env.step(actions)
        for i, single in enumerate(singles):
            if over[i]:
                text, info = single.reset()
                expected = (text, 0.0, False, False, info)
            else:
                expected = single.step(actions[i])
            _, _, terminated, truncated, info = expected
            got = (observations[i], rewards[i], terminations[i], truncations[i])
            assert got == expected[:4]
            assert all(infos[key][i] == value and infos[f"_{key}"][i] for key, value in info.items())
            assert not any(mask[i] for key, mask in infos.items() if key[0] == "_" and key[1:] not in info)
            over[i] = terminated or truncated


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize(("env_id", "kwargs"), CASES)
def test_it_returns_what_gymnasiums_own_loop_returns(env_id: str, kwargs: dict[str, Any], mode: AutoresetMode) -> None:
    ours = TextVectorEnv(4, env_id, autoreset_mode=mode, **kwargs)
    theirs = SyncVectorEnv([lambda: TextGameEnv(env_id, **kwargs)] * 4, autoreset_mode=mode)
    ours.action_space.seed(1)
    rng = np.random.default_rng(1)
    seeds = [5, None, 7, 8]
    seeds[1] = 6
    left, right = ours.reset(seed=seeds), theirs.reset(seed=seeds)
    assert left[0] == right[0] and same(left[1], right[1])
    finals = 0
    for _ in range(50):
        actions = replies(ours, rng)
        (*numbers, infos), (*expected, wanted) = ours.step(actions), theirs.step(actions)
        assert all(same(a, b) for a, b in zip(numbers, expected, strict=True))
        assert same(infos, wanted)
        finals += "final_obs" in infos
    assert (finals > 3) == (mode is AutoresetMode.SAME_STEP)


def test_make_vec_uses_it_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make_vec("KuhnPoker-LLM", 2, prompt="compact", autoreset_mode="SameStep", max_episode_steps=None)
    assert isinstance(env, TextVectorEnv) and env.spec is not None and env.spec.id == "KuhnPoker-LLM"
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observations, _ = env.reset(seed=0)
    assert observations in env.observation_space and env.action_space.sample() in env.action_space
    assert isinstance(turnwise.vector_env("KuhnPoker-LLM", 5), TextVectorEnv)
    env.close()


def test_gymnasiums_wrappers_work_on_it() -> None:
    env = gym.wrappers.vector.RecordEpisodeStatistics(gym.make_vec("TicTacToe-LLM", 3))
    env.reset(seed=0)
    returns = []
    for _ in range(30):
        _, _, _, _, infos = env.step(env.action_space.sample())
        returns += infos["episode"]["r"][infos["_episode"]].tolist() if "episode" in infos else []
    assert len(returns) >= 9 and set(returns) <= {-1.0, 0.0, 1.0}


def test_samples_are_legal_replies_of_the_live_games() -> None:
    env = turnwise.vector_env("SimpleNegotiation-LLM", 4)
    env.action_space.seed(3)
    env.reset(seed=0)
    statuses = set()
    for _ in range(40):
        _, _, _, _, infos = env.step(env.action_space.sample())
        statuses |= set(infos["status"])
    assert statuses == {"ok"}
    first = turnwise.vector_env("TicTacToe-LLM", 4)
    first.reset(seed=0)
    first.action_space.seed(3)
    once = first.action_space.sample()
    first.action_space.seed(3)
    assert first.action_space.sample() == once and len(set(once)) > 1
    assert first.single_action_space.sample().startswith("[")


# --- modes of reset ------------------------------------------------------------------------------------------------


def test_same_step_keeps_what_the_ended_episode_returned_last(guess: TextGame) -> None:
    env = TextVectorEnv(2, guess, autoreset_mode="SameStep")
    env.reset(seed=0)
    answers = [single.game.answer for single in env.envs]  # type: ignore[attr-defined]
    wrong = next(digit for digit in "012" if digit not in answers)
    observations, rewards, terminations, _, infos = env.step([answers[0], wrong])
    assert observations == ("Guess my digit.", "Miss.")
    assert rewards.tolist() == [1.0, -0.25] and terminations.tolist() == [True, False]
    assert infos["final_obs"].tolist() == ["Hit!", None] and infos["_final_obs"].tolist() == [True, False]
    assert infos["final_info"]["action"].tolist() == [answers[0], None]
    assert infos["final_info"]["_action"].tolist() == [True, False]
    assert infos["action"].tolist() == [None, wrong]


def test_disabled_waits_for_a_masked_reset(guess: TextGame) -> None:
    env = TextVectorEnv(3, guess, autoreset_mode=AutoresetMode.DISABLED)
    env.reset(seed=0)
    answers = [single.game.answer for single in env.envs]  # type: ignore[attr-defined]
    env.step(answers)
    with pytest.raises(gym.error.ResetNeeded, match=r"envs \[0, 1, 2\] have no running episode"):
        env.step(answers)
    mask = np.array([True, False, True])
    options = {"reset_mask": mask}
    observations, infos = env.reset(seed=[4, 5, 6], options=options)
    assert observations == ("Guess my digit.", "Hit!", "Guess my digit.")
    assert infos["_status"].tolist() == mask.tolist() and options == {"reset_mask": mask}
    with pytest.raises(gym.error.ResetNeeded, match=r"envs \[1\] have"):
        env.step(answers)
    single = TextGameEnv(type(guess)())
    single.reset(seed=6)
    assert env.envs[2].game.answer == single.game.answer  # type: ignore[attr-defined]
    assert env.step_subset([0, 2], ["0", "0"]).indices.tolist() == [0, 2]


def test_max_episode_steps_truncates_and_never_also_terminates(guess: TextGame) -> None:
    env = TextVectorEnv(2, guess, max_episode_steps=2)
    env.reset(seed=1)
    answers = [single.game.answer for single in env.envs]  # type: ignore[attr-defined]
    wrong = next(digit for digit in "012" if digit not in answers)
    assert not any(env.step([wrong, wrong])[3])
    _, _, terminations, truncations, _ = env.step([answers[0], wrong])
    assert (terminations.tolist(), truncations.tolist()) == ([True, False], [False, True])
    observations, rewards, terminations, truncations, _ = env.step(["ignored", "ignored"])
    assert observations == ("Guess my digit.",) * 2 and not rewards.any()
    assert not (terminations.any() or truncations.any())


# --- some at once --------------------------------------------------------------------------------------------------


def test_a_subset_moves_and_the_others_stay() -> None:
    env, single = turnwise.vector_env("TicTacToe-LLM", 4), TextGameEnv("TicTacToe-LLM")
    env.reset(seed=0)
    before = [str(one.game.state) for one in env.envs]  # type: ignore[attr-defined]
    batch = env.step_subset([3, 1], ["[0]", "[8]"])
    for k, (i, reply) in enumerate(((3, "[0]"), (1, "[8]"))):
        single.reset(seed=i)
        text, reward, terminated, truncated, info = single.step(reply)
        assert (batch.indices[k], batch.observations[k], batch.rewards[k]) == (i, text, reward)
        assert (batch.terminations[k], batch.truncations[k]) == (terminated, truncated)
        assert batch.infos["legal_actions"][k] == info["legal_actions"]
    after = [str(one.game.state) for one in env.envs]  # type: ignore[attr-defined]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True, False]
    assert env.step_subset([], []).observations == ()


def test_send_and_receive() -> None:
    env, other = (turnwise.vector_env("TicTacToe-LLM", 4) for _ in range(2))
    env.reset(seed=0)
    other.reset(seed=0)
    env.send([2, 0], ["[0]", "[0]"])
    env.send([3], ["[1]"])
    with pytest.raises(ValueError, match=r"envs \[0, 3\] still owe a result"):
        env.step_subset([0, 1, 3], ["[5]"] * 3)
    got = env.recv(min_ready=9)
    assert got.indices.tolist() == [0, 2, 3]
    assert got.observations == other.step_subset([0, 2, 3], ["[0]", "[0]", "[1]"]).observations
    env.send([1], ["[1]"])
    env.reset(seed=1)  # forgets what nobody received
    with pytest.raises(RuntimeError, match="none owes a result"):
        env.recv()


@pytest.mark.parametrize(
    ("indices", "actions", "error", "message"),
    [
        ([0, 0], ["[1]", "[2]"], ValueError, "stepped once at a time"),
        ([0, 4], ["[1]", "[2]"], ValueError, "numbered 0 to 2"),
        ([-1], ["[1]"], ValueError, "numbered 0 to 2"),
        ([0, 1], ["[1]"], ValueError, "got 1 for 2 envs"),
        ([0, 1], ["[1]", None], TypeError, "as a str: got NoneType"),
    ],
)
def test_nothing_is_played_where_something_is_refused(
    indices: list[int], actions: list[Any], error: type[Exception], message: str
) -> None:
    env = turnwise.vector_env("TicTacToe-LLM", 3)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(["[1]"] * 3)
    env.reset(seed=0)
    for step in (env.step_subset, env.send):
        with pytest.raises(error, match=message):
            step(indices, actions)
    assert [one.referee.turns for one in env.envs] == [0, 0, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: turnwise.vector_env("Nim-LLM", 0), "num_envs is at least 1: got 0"),
        (lambda: turnwise.vector_env("Nim-LLM", 2, max_episode_steps=0), "max_episode_steps is at least 1"),
        (lambda: turnwise.vector_env("Nim-LLM", 2, autoreset_mode="never"), "never"),
        (lambda: turnwise.vector_env("Nim-LLM", 2).reset(seed=[1]), "one per env"),
        (lambda: turnwise.vector_env("Nim-LLM", 2).reset(options={"reset_mask": np.array([1, 0])}), "bool array"),
        (
            lambda: turnwise.vector_env("Nim-LLM", 2).reset(options={"reset_mask": np.array([False] * 2)}),
            "not all False",
        ),
        (lambda: turnwise.vector_env("Nim-LLM", 2).set_attr("render_mode", [None]), "got 1"),
    ],
)
def test_bad_arguments_are_told(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_attributes_and_rendering() -> None:
    env = turnwise.vector_env("Nim-LLM", 2, render_mode="ansi")
    observations, _ = env.reset(seed=3)
    assert env.render() == observations
    assert env.get_attr("learner") == env.call("get_wrapper_attr", "learner") == ("player_0",) * 2
    env.set_attr("marked", (1, 2))
    assert env.get_attr("marked") == (1, 2)
    assert env.np_random_seed == (3, 4) and len({rng.random() for rng in env.np_random}) == 2
    assert turnwise.vector_env("Nim-LLM", 2).render() is None


def test_replies_come_in_any_sequence() -> None:
    for kind in (list, tuple, np.array, lambda texts: np.array(texts, dtype=object)):
        env = turnwise.vector_env("TicTacToe-LLM", 2)
        env.reset(seed=0)
        assert env.step(kind(["[4]", "I take [0]"]))[4]["action"].tolist() == ["4", "0"]


# --- infos ---------------------------------------------------------------------------------------------------------

VALUES = {
    "n": st.integers(-5, 5),
    "x": st.floats(-1, 1),
    "yes": st.booleans(),
    "text": st.text(max_size=3),
    "names": st.tuples(st.just("a"), st.just("b")),
    "nothing": st.none(),
    "scores": st.builds(lambda n: np.array([n, n + 1.5]), st.integers(0, 9)),
    "inner": st.fixed_dictionaries({}, optional={"n": st.integers(0, 3), "text": st.text(max_size=2)}).filter(bool),
}


@given(infos=st.lists(st.fixed_dictionaries({}, optional=VALUES), min_size=1, max_size=4))
def test_gathering_is_gymnasiums_but_for_the_order_of_keys(infos: list[dict[str, Any]]) -> None:
    class Bare(gym.vector.VectorEnv):  # type: ignore[type-arg]
        num_envs = len(infos)

    expected: dict[str, Any] = {}
    for i, info in enumerate(infos):
        expected = Bare()._add_info(expected, info, i)
    assert same(gather(infos), expected)


def test_gathering_loses_no_value_to_the_type_of_the_first() -> None:
    infos = gather([{"x": 1, "y": 1, "z": np.zeros(2)}, {"x": 0.5, "y": "one", "z": np.zeros(3)}, {}])
    assert infos["x"].tolist() == [1.0, 0.5, 0.0] and infos["y"].tolist() == [1, "one", None]
    assert infos["z"].dtype == object and infos["_x"].tolist() == [True, True, False]


def test_an_episodes_seed_is_a_draw_of_the_envs_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    env, seeds = TextGameEnv("Nim-LLM"), []
    start = env.referee.start
    monkeypatch.setattr(env.referee, "start", lambda seed, rng: (seeds.append(seed), start(seed, rng)))
    rng = gym.utils.seeding.np_random(9)[0]
    for k in range(100):
        env.reset(seed=9 if k == 0 else None)
        assert seeds[-1] == rng.integers(2**63)
        assert env.np_random.integers(5) == rng.integers(5)  # as an opponent draws in between


REPLIES = st.text("[] ab}{<>/think", max_size=12)


@given(reply=REPLIES | st.sampled_from(["[a]", "[b] [a]", "</think>[a]", "[ a ]", "[A]"]))
def test_the_short_cut_of_reading_finds_what_the_search_finds(reply: str) -> None:
    assert read_action(reply, ("a", "ab")) == read_action(f"{reply} ", ("a", "ab"))
