"""What every registered environment keeps, in both wordings: the official checkers and the promises of `TextGame`."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test
from pettingzoo.utils.conversions import turn_based_aec_to_parallel

import turnwise
from turnwise.envs.core import IllegalAction, Unsupported
from turnwise.envs.parsing import read_action, write_action
from turnwise.envs.referee import Outcome, Referee
from turnwise.envs.registry import GAMES, make_game

IDS = sorted(GAMES)
CASES = [(env_id, prompt) for env_id in IDS for prompt in ("full", "compact")]
LONGEST_EPISODE = 200  # replies; the longest game here is connect four with 42

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("KuhnPoker-LLM", {"players": 3}),
    ("KuhnPoker-LLM", {"rules": "textarena"}),
    ("LeducPoker-LLM", {"players": 3, "show_legal_moves": False}),
    ("ConnectFour-LLM", {"rows": 4, "columns": 5}),
    ("LiarsDice-LLM", {"numdice": 2}),
    ("Nim-LLM", {"pile_sizes": (2, 3), "is_misere": False}),
    ("SimpleNegotiation-LLM", {"resources": 5}),
    ("SimpleNegotiation-LLM", {"values": "random", "turns": 4}),
]

each = pytest.mark.parametrize(("env_id", "prompt"), CASES)


def plays(referee: Referee, seed: int) -> Iterator[tuple[str, str, Outcome]]:
    """(seat, observation, outcome) of every turn of an episode of random valid play."""
    rng = np.random.default_rng(seed)
    referee.start(seed)
    while referee.seat is not None:
        seat, text = referee.seat, referee.observe()
        reply = write_action(referee.game.sample_action(rng), referee.game.legal())
        yield seat, text, referee.submit(reply)
        assert referee.turns <= LONGEST_EPISODE


def referee_of(env_id: str, prompt: str) -> Referee:
    return Referee(make_game(env_id, prompt=prompt))


@pytest.fixture
def statuses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The status of every reply that any referee was given."""
    seen: list[str] = []
    submit = Referee.submit

    def spy(self: Referee, reply: str, *, cut: bool = False) -> Outcome:
        outcome = submit(self, reply, cut=cut)
        seen.append(outcome.status)
        return outcome

    monkeypatch.setattr(Referee, "submit", spy)
    return seen


@each
@pytest.mark.parametrize("seat", ["player_0", "player_1", "random"])
def test_gymnasium_check_env(env_id: str, prompt: str, seat: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(env_id, prompt=prompt, seat=seat).unwrapped)


@each
def test_pettingzoo_api_test_plays_legal_moves_only(env_id: str, prompt: str, statuses: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would rather see arrays and boxes
        api_test(turnwise.aec_env(env_id, prompt=prompt), num_cycles=100)
    assert len(statuses) >= 3 and set(statuses) == {"ok"}


@each
def test_pettingzoo_seed_test(env_id: str, prompt: str) -> None:
    seed_test(lambda: turnwise.aec_env(env_id, prompt=prompt), num_cycles=50)


@pytest.mark.parametrize(("env_id", "kwargs"), VARIANTS)
def test_variants_pass_the_checkers_too(env_id: str, kwargs: dict[str, Any], statuses: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api_test(turnwise.aec_env(env_id, **kwargs), num_cycles=100)
    assert set(statuses) == {"ok"}
    seed_test(lambda: turnwise.aec_env(env_id, **kwargs), num_cycles=50)
    check_env(gym.make(env_id, **kwargs).unwrapped)
    referee = Referee(make_game(env_id, **kwargs))
    low, high = referee.game.utility_bounds
    for seed in range(10):
        list(plays(referee, seed))
        assert all(low <= value <= high for value in referee.returns.values())


@pytest.mark.parametrize("env_id", IDS)
def test_pettingzoo_parallel_tests_through_the_turn_based_wrapper(env_id: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parallel_api_test(turn_based_aec_to_parallel(turnwise.aec_env(env_id)), num_cycles=50)
        parallel_seed_test(lambda: turn_based_aec_to_parallel(turnwise.aec_env(env_id)), num_cycles=50)


@pytest.mark.parametrize("env_id", IDS)
def test_random_play_through_gymnasium_is_legal(env_id: str, statuses: list[str]) -> None:
    env = gym.make(env_id, seat="random")
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(10):
        env.reset()
        over = False
        while not over:
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            over = terminated or truncated
    assert set(statuses) == {"ok"}


@each
def test_a_seed_fixes_the_episode(env_id: str, prompt: str) -> None:
    used, fresh = referee_of(env_id, prompt), referee_of(env_id, prompt)
    list(plays(used, 99))
    for seed in range(5):
        assert list(plays(used, seed)) == list(plays(fresh, seed))


@each
def test_interleaved_games_do_not_touch_each_other(env_id: str, prompt: str) -> None:
    apart = [list(plays(referee_of(env_id, prompt), seed)) for seed in (1, 2)]
    pairs = list(zip_longest(plays(referee_of(env_id, prompt), 1), plays(referee_of(env_id, prompt), 2)))
    assert [[turn for turn in column if turn is not None] for column in zip(*pairs, strict=True)] == apart


@each
def test_process_wide_generators_are_left_alone(env_id: str, prompt: str) -> None:
    before, numpy_before = random.getstate(), np.random.get_state()  # noqa: NPY002  # the state is only looked at
    list(plays(referee_of(env_id, prompt), 3))
    env = gym.make(env_id, prompt=prompt, invalid="random_legal", seat="random")
    env.reset(seed=0)
    env.step("nonsense")
    after = np.random.get_state()  # noqa: NPY002
    assert random.getstate() == before
    assert all(np.array_equal(old, new) for old, new in zip(numpy_before, after, strict=True))


@each
def test_rewards_and_endings(env_id: str, prompt: str) -> None:
    referee = referee_of(env_id, prompt)
    low, high = referee.game.utility_bounds
    for seed in range(20):
        turns = list(plays(referee, seed))
        *earlier, last = [outcome for _, _, outcome in turns]
        assert not any(outcome.terminated or outcome.truncated for outcome in earlier)
        assert last.terminated != last.truncated
        assert referee.game.seat is None
        assert all(low <= value <= high for value in referee.returns.values())
        assert set(referee.returns) == set(referee.game.seats)
        if referee.game.zero_sum:
            assert sum(referee.returns.values()) == pytest.approx(0.0, abs=1e-12)
        if not referee.game.dense_rewards:
            assert not any(any(outcome.rewards.values()) for outcome in earlier)


@each
def test_legal_actions_read_back_as_themselves(env_id: str, prompt: str) -> None:
    referee = referee_of(env_id, prompt)
    game = referee.game
    for seed in range(5):
        for _ in plays(referee, seed):
            legal = game.legal()
            if game.seat is None or legal is None:
                continue
            assert len(set(legal)) == len(legal) > 0
            for name in legal:
                for reply in (write_action(name, legal), name, f"\\boxed{{{name.upper()}}}", f"[x] or [ {name} ]"):
                    assert read_action(reply, legal) == name


@each
def test_observations_are_read_once(env_id: str, prompt: str) -> None:
    referee = referee_of(env_id, prompt)
    game = referee.game
    for _, text, _ in plays(referee, 4):
        assert text.strip()
        if game.seat is not None:
            first = game.clone().observe(game.seat) if game.can_clone else None
            assert first is None or first.strip()
    for seat in game.seats:
        game.observe(seat)
        assert game.observe(seat) == ""


@each
def test_an_illegal_action_changes_nothing(env_id: str, prompt: str) -> None:
    game = make_game(env_id, prompt=prompt)
    game.start(np.random.default_rng(0))
    legal = game.legal()
    if legal is None:
        legal, bad = None, ("[Accept] [Deny]", "[Accept]")
    else:
        bad = ("", "no such move", legal[0] + "x", "99999", "♠", "-1")
    seat, twin = game.seat, game.clone() if game.can_clone else None
    for action in bad:
        with pytest.raises(IllegalAction) as error:
            game.play(action)
        assert str(error.value)
    assert (game.seat, game.legal()) == (seat, legal)
    assert twin is None or game.observe(seat or "") == twin.observe(seat or "")


@each
def test_clones_and_anchors_where_declared(env_id: str, prompt: str) -> None:
    game = make_game(env_id, prompt=prompt)
    game.start(np.random.default_rng(1))
    game.play(game.sample_action(np.random.default_rng(1)))
    if not game.can_clone:
        with pytest.raises(Unsupported):
            game.clone()
        return
    twin = game.clone()
    if game.has_anchor:
        assert twin.anchor() == game.anchor() != ""
    legal, seat = game.legal(), game.seat
    rng = np.random.default_rng(2)
    while twin.seat is not None:
        twin.play(twin.sample_action(rng))
    assert (game.seat, game.legal()) == (seat, legal)


REPLIES = st.one_of(
    st.text(max_size=50),
    st.text(max_size=10).map(lambda text: f"[{text}]"),
    st.sampled_from(
        ["[", "\\boxed{", "]", "</think>", "[0]", "[check]", "[bet]", "[Accept]", "[Offer: 1 Wood -> 1 Gold]"]
    )
    | st.sampled_from(["\x00", "\ud800", "𝔘", "٣", "[٣]", "[-0]", "[1e9]", "[Offer: 9999999999999 Wood -> ٣ Gold]"]),
    st.tuples(st.sampled_from(["x", "[", "牌", "[0] ", "\\boxed{", "[Offer: "]), st.integers(1, 100_000)).map(
        lambda pair: (pair[0] * pair[1])[:100_000]
    ),
)


@pytest.mark.parametrize("env_id", IDS)
@settings(max_examples=30, deadline=None)
@given(replies=st.lists(REPLIES, min_size=1, max_size=6), invalid=st.sampled_from(["forfeit", "retry(2)", "noop"]))
def test_no_reply_escapes_a_step(env_id: str, replies: list[str], invalid: str) -> None:
    env: Any = gym.make(env_id, invalid=invalid, disable_env_checker=True)
    env.reset(seed=0)
    for reply in replies:
        observation, reward, terminated, truncated, info = env.step(reply)
        assert observation in env.observation_space and np.isfinite(reward)
        assert not (terminated and truncated)
        assert info["status"] == "ok" or info["reason"]
        if terminated or truncated:
            env.reset()
