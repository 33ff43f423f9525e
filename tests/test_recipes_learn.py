"""Every recipe improves its task: `pytest -m slow tests/test_recipes_learn.py`, about a quarter of a minute each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.compose import options

pytestmark = pytest.mark.slow
Command = Callable[..., Any]

CHAIN = (
    *("env=tool_chain", "model.sft.teacher=expert", "model.sft.games=500", "model.sft.batch=128"),
    *("engine.device=cpu", "tensorboard=false"),
)
LEARN = (
    *("model.sft.steps=0", "steps=60", "games_per_step=64", "evaluation.every=0", "evaluation.games=400"),
    *("evaluation.final_games=400", "algorithm.optimisation.mean_decay=0.9"),
    *("algorithm.optimisation.learning_rate=0.001", "algorithm.optimisation.final_learning_rate=0.0003"),
)
TOOLS = ("aspo_tool", "toolrl")
"""Recipes that need real tools: their task is shown to the tiny model by the expert first, see below."""
GAINS = {"pav": 0.1}
"""Least gain in the share of right answers where it is not the usual one: most of PAV's tokens go to the prover."""
USUAL_GAIN = 0.2


@pytest.fixture(scope="module")
def warm(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that answers a quarter of the chains of tools rightly."""
    folder = tmp_path_factory.mktemp("warm") / "chain"
    assert command("sft", "--out", str(folder), *CHAIN, "model.sft.steps=60").exit_code == 0
    return folder


@pytest.mark.parametrize("recipe", [name for name in options("algorithm") if name not in TOOLS])
def test_a_recipe_improves_its_task(recipe: str, warm: Path, command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = command("train", f"algorithm={recipe}", *CHAIN, f"model.path={warm}", *LEARN, f"run_dir={run}")
    assert done.exit_code == 0, done.output
    summary = json.loads((run / "summary.json").read_text())
    assert summary["mean_return"] - summary["mean_return_start"] > GAINS.get(recipe, USUAL_GAIN)
