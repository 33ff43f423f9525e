"""What the official checkers say of the TextWorld ids."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, seed_test

import turnwise
from turnwise.envs.catalogue.textworld import SPECS
from turnwise.envs.referee import Referee
from turnwise.envs.registry import find_spec, make_game

IDS = [spec.id for spec in SPECS]
Small = dict[str, dict[str, Any]]


@pytest.mark.parametrize("env_id", IDS)
def test_the_official_checkers_pass(env_id: str, small: Small) -> None:
    kwargs = small[find_spec(env_id).entry_point.rpartition(":")[2]] | {"worker": env_id == IDS[0]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(env_id, **kwargs).unwrapped)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api_test(turnwise.aec_env(env_id, prompt="compact", **kwargs), num_cycles=20)
    seed_test(lambda: turnwise.aec_env(env_id, **kwargs), num_cycles=10)


@pytest.mark.parametrize("admissible", [True, False])
@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_random_play_is_legal_and_ends(prompt: str, admissible: bool, small: Small) -> None:
    game = make_game("TextWorld/Simple-LLM", prompt=prompt, admissible=admissible, **small["simple"])
    referee, rng = Referee(game), np.random.default_rng(0)
    referee.start(0)
    while referee.seat is not None:
        text = referee.observe()
        assert text.strip() and (prompt == "full" or len(text) <= 520)
        action = game.sample_action(rng)
        assert referee.submit(f"[{action}]" if admissible else action).status == "ok"
    assert referee.turns <= 30
    game.close()


def test_the_training_option_composes() -> None:
    from turnwise.algorithms.compose import compose, run_settings

    settings = run_settings(compose(["env=textworld"]))
    assert (settings.env.id, settings.env.kwargs) == ("TextWorld/Custom-LLM", {"prompt": "compact"})


def test_importing_and_making_a_game_loads_no_textworld(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "import sys, turnwise.envs.textworld as t; t.custom(); print('textworld' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "False\n"
