"""Every recipe improves its task: `pytest -m slow tests/test_recipes_learn.py`, about a quarter of a minute each.

With seed 0 the share of right answers on the chain of look-ups goes from 0.26 to between 0.61 (gdpo) and 0.85
(spo_chain), NashConv of Kuhn poker from 0.9 to 0.3, and right answers with the toy's tool from 0.4 to 0.7.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from turnwise.algorithms.compose import options
from turnwise.algorithms.reporting.runlog import read_metrics

pytestmark = pytest.mark.slow
Command = Callable[..., Any]

COMMON = ("engine.device=cpu", "tensorboard=false", "evaluation.every=0", "algorithm.optimisation.mean_decay=0.9")
ONE_SEAT = (
    *("steps=60", "games_per_step=64", "evaluation.games=400", "evaluation.final_games=400"),
    *("algorithm.optimisation.learning_rate=0.001", "algorithm.optimisation.final_learning_rate=0.0003"),
)
SELF_PLAY = (
    *("steps=80", "games_per_step=256", "evaluation.games=20", "evaluation.final_games=20"),
    *("algorithm.optimisation.learning_rate=0.002", "algorithm.optimisation.final_learning_rate=0.0002"),
)


class Task(NamedTuple):
    """A task, the warm start of its model, and the settings of the runs on it."""

    words: tuple[str, ...]
    warm: tuple[str, ...]
    run: tuple[str, ...]


TASKS = {
    "chain": Task(
        ("env=tool_chain", "model.sft.teacher=expert"),
        ("model.sft.games=500", "model.sft.batch=128", "model.sft.steps=60"),
        ONE_SEAT,
    ),
    "toy": Task(
        ("env=by_id", "env.id=ToyTools-LLM", "env.kwargs.prompt=compact", "model.sft.teacher=expert"),
        ("model.sft.games=300", "model.sft.batch=64", "model.sft.steps=55"),
        ONE_SEAT,
    ),
    "kuhn": Task(("env=kuhn_poker",), ("model.sft.games=500", "model.sft.steps=150"), SELF_PLAY),
}
TASK_OF = {"aspo_tool": "toy", "toolrl": "toy", **dict.fromkeys(("spiral", "reinforce", "rebn", "topr"), "kuhn")}
"""Recipe -> its task, where it is not the chain of look-ups."""


@pytest.fixture(scope="module")
def warm(command: Command, toy_tools: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`warm("chain")`: the folder of a tiny model that has a notion of the task."""
    root = tmp_path_factory.mktemp("warm")

    def model(name: str) -> Path:
        if not (root / name).exists():
            task = TASKS[name]
            done = command("sft", "--out", root / name, "engine.device=cpu", *task.words, *task.warm)
            assert done.exit_code == 0, done.output
        return root / name

    return model


def gain(run: Path, recipe: str) -> float:
    """By how much the run is better at its end, in the unit of its measure."""
    summary = json.loads((run / "summary.json").read_text())
    if recipe == "toolrl":  # what it is paid for is calls, not answers
        paid = [
            step["toolrl/mean_toolrl_format"] + step["toolrl/mean_toolrl_correctness"] for step in read_metrics(run)[1:]
        ]
        return statistics.fmean(paid[-10:]) - statistics.fmean(paid[:10])
    if "nash_conv" in summary:
        return float(summary["nash_conv_start"] - summary["nash_conv"])
    return float(summary["mean_return"] - summary["mean_return_start"])


LEAST = {"toolrl": 0.5, "aspo_tool": 0.15, "spiral": 0.4, "reinforce": 0.4, "rebn": 0.4, "topr": 0.4}
USUAL = 0.2
"""Least gain; a share of 400 answers is known to 0.035."""


@pytest.mark.parametrize("recipe", options("algorithm"))
def test_a_recipe_improves_its_task(recipe: str, warm: Callable[[str], Path], command: Command, tmp_path: Path) -> None:
    name = TASK_OF.get(recipe, "chain")
    words = (*TASKS[name].words, f"model.path={warm(name)}", "model.sft.steps=0", *COMMON, *TASKS[name].run)
    done = command("train", f"algorithm={recipe}", *words, f"run_dir={tmp_path / 'run'}")
    assert done.exit_code == 0, done.output
    assert gain(tmp_path / "run", recipe) > LEAST.get(recipe, USUAL)
