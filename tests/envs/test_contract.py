"""The conformance kit over a game of every family and over further arguments, and any text to every environment.

All ids: `make check`.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs.checker.result import FAILED
from turnwise.envs.checker.run import check_game
from turnwise.envs.checker.subject import Subject
from turnwise.envs.describe import missing
from turnwise.envs.registry import GAMES

HERE = [spec for spec in GAMES.values() if not missing(spec)]
QUICK, SLOW = ([spec.id for spec in HERE if spec.slow is slow] for slow in (False, True))
ONE_OF_EACH = list({spec.family: spec.id for spec in reversed(HERE) if not spec.slow}.values())
"""The first quick id of every family."""

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


@pytest.mark.parametrize(("env_id", "kwargs"), [*((env_id, {}) for env_id in ONE_OF_EACH), *VARIANTS])
def test_the_kit_passes(env_id: str, kwargs: dict[str, Any]) -> None:
    report = check_game(Subject(env_id, **kwargs))
    assert [f"{result.name}: {result.detail}" for result in report.results if result.verdict == FAILED] == []


LONG = st.tuples(
    st.sampled_from(["x", "[", "牌", "[0] ", "\\boxed{", "[Offer: ", "<search>", "{"]), st.integers(1, 100_000)
)
SPECIAL = (
    *("[", "\\boxed{", "]", "</think>", "[0]", "[check]", "[bet]", "[Accept]", "[Offer: 1 Wood -> 1 Gold]"),
    *("\x00", "\ud800", "𝔘", "٣", "[٣]", "[-0]", "[1e9]", "[Offer: 9999999999999 Wood -> ٣ Gold]"),
    *("<answer>", "<tool_call>{", '<tool_call>{"name": "x", "arguments": 1}</tool_call>', "```python\n"),
)
TEXTS = st.one_of(
    st.text(max_size=50),
    st.text(max_size=10).map(lambda text: f"[{text}]"),
    st.sampled_from(SPECIAL),
    LONG.map(lambda pair: (pair[0] * pair[1])[:100_000]),
)
AROUND = st.tuples(st.sampled_from(["{}", "[{}]", "[[{}]]", "[{}", "\\boxed{{{}}}", "{}{}"]), TEXTS)
"""A form for a legal action, and noise to put behind it."""
REPLIES = st.lists(st.one_of(TEXTS, AROUND), min_size=1, max_size=5)


def step_through(env_id: str, replies: list[Any], invalid: str) -> None:
    env: Any = gym.make(env_id, invalid=invalid, disable_env_checker=True)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    game = env.unwrapped.game
    for reply in replies:
        if isinstance(reply, tuple):
            form, noise = reply
            action = game.sample_action(rng) if game.seat is not None else ""
            reply = form.replace("{}", action).replace("{{", "{").replace("}}", "}") + noise
        observation, reward, terminated, truncated, info = env.step(reply)
        assert observation in env.observation_space and np.isfinite(reward)
        assert not (terminated and truncated)
        assert info["status"] == "ok" or info["reason"]
        if terminated or truncated:
            env.reset()
    env.close()


@pytest.mark.parametrize("env_id", QUICK)
@settings(max_examples=5, deadline=None)
@given(replies=REPLIES, invalid=st.sampled_from(["forfeit", "retry(2)", "noop", "random_legal"]))
def test_no_reply_escapes_a_step(env_id: str, replies: list[Any], invalid: str) -> None:
    step_through(env_id, replies, invalid)


@pytest.mark.slow
@pytest.mark.parametrize("env_id", SLOW)
@settings(max_examples=5, deadline=None)
@given(replies=REPLIES, invalid=st.sampled_from(["forfeit", "retry(2)", "noop", "random_legal"]))
def test_no_reply_escapes_a_step_of_a_slow_game(env_id: str, replies: list[Any], invalid: str) -> None:
    step_through(env_id, replies, invalid)
