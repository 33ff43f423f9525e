"""What the official checkers say of every MiniGrid id."""

from __future__ import annotations

import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, seed_test

import turnwise
from turnwise.envs.catalogue.minigrid import SPECS
from turnwise.envs.referee import Referee
from turnwise.envs.registry import make_game

IDS = [spec.id for spec in SPECS]
SOME = IDS[::12]


@pytest.mark.parametrize("start", range(0, len(IDS), 28))
def test_gymnasiums_checker_passes_on_every_id(start: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for env_id in IDS[start : start + 28]:
            check_env(gym.make(env_id, prompt="compact" if start % 56 else "full").unwrapped)


@pytest.mark.parametrize("env_id", SOME)
def test_pettingzoos_checkers_pass(env_id: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api_test(turnwise.aec_env(env_id), num_cycles=30)
    seed_test(lambda: turnwise.aec_env(env_id), num_cycles=20)


@pytest.mark.parametrize("kwargs", [{}, {"prompt": "compact"}, {"view": "full"}, {"mode": "diff"}])
def test_random_replies_are_valid_and_texts_short(kwargs: dict[str, str]) -> None:
    for env_id in SOME:
        referee = Referee(make_game(env_id, **kwargs), max_turns=30)
        rng = np.random.default_rng(0)
        referee.start(0)
        while referee.seat is not None:
            text = referee.observe()
            assert text.strip() and (kwargs.get("prompt") != "compact" or len(text) <= 500)
            assert referee.submit(f"I choose [{referee.game.sample_action(rng).upper()}]").status == "ok"


def test_the_training_option_composes() -> None:
    from turnwise.algorithms.compose import compose, run_settings

    settings = run_settings(compose(["env=minigrid"]))
    assert (settings.env.id, settings.env.kwargs) == ("MiniGrid/BabyAI-GoToLocal-LLM", {"prompt": "compact"})


def test_making_a_game_imports_no_minigrid() -> None:
    code = (
        "import sys; from turnwise.envs.minigrid.game import MiniGridGame; "
        "MiniGridGame(level_id='BabyAI-GoTo-v0'); print({'minigrid', 'pygame'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
