"""Every recipe trains three steps with the tiny model, and does in them what its method is about."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.compose import options
from turnwise.algorithms.reporting.runlog import read_metrics

Command = Callable[..., Any]

SHORT = (
    *("engine.device=cpu", "steps=3", "games_per_step=16", "evaluation.every=0", "evaluation.games=4"),
    *("evaluation.final_games=4", "tensorboard=false"),
)
WARM = ("model.sft.teacher=expert", "model.sft.games=300", "model.sft.batch=128")
CHAIN = ("env=tool_chain", "model.sft.teacher=expert")
SEARCH = (
    *("env=search_qa", "env.kwargs.size=200", "model.sft.teacher=expert", "games_per_step=8"),
    *("model.sft.games=16", "model.sft.batch=8", "model.sft.steps=4"),
)
CONSTANT = ("algorithm.optimisation.final_learning_rate=0.001", "algorithm.magnet.final_weight=0.1")
"""No schedule: a step does not depend on how many there are to come."""
PLAYED_WITH: dict[str, tuple[str, ...]] = {
    "aspo_tool": SEARCH,
    "toolrl": SEARCH,
    "arpo": ("algorithm.explore_settings.branch_probability=1",),
    "hpt": ("algorithm.explore_settings.gate_count=8",),
    "tppo": ("algorithm.explore_settings.window=4",),
    "sec": ("env=bifurcation", "model.path=null", "model.sft.games=64", "model.sft.batch=32", "model.sft.steps=8"),
}
"""Recipe -> settings that let its method show itself; all others play the chain of tools, warm-started."""
SHOWN: dict[str, Callable[[list[dict[str, Any]]], bool]] = {
    "arpo": lambda steps: all(step["arpo/forks"] > 0 for step in steps),
    "aepo": lambda steps: all(step["aepo/roots"] >= 1 for step in steps),
    "dapo": lambda steps: all(1 <= step["dynamic/rounds"] <= 3 for step in steps),
    "hpt": lambda steps: all(step["demonstrate/shown_share"] == 1 and step["sft_loss"] > 0 for step in steps),
    "pav": lambda steps: all(step["pav/extra_tokens"] > 0 for step in steps),
    "ppo": lambda steps: all(step["value_loss"] > 0 for step in steps),
    "turn_ppo": lambda steps: all(step["value_loss"] > 0 for step in steps),
    "tppo": lambda steps: steps[1]["windows/resumed"] > 0 and steps[0]["windows/unfinished"] > 0,
    "spo_chain": lambda steps: any(step["spo_chain/extra_tokens"] > 0 for step in steps),
    "spo_tree": lambda steps: steps[-1]["replayed_turns"] > 0,
    "spiral": lambda steps: any(name.startswith("baseline/") for name in steps[-1]),
    "tis": lambda steps: all(step["correction_weight"] == pytest.approx(1, abs=1e-3) for step in steps),
    "gdpo": lambda steps: all("format/mean_format" in step for step in steps),
}
"""Recipe -> what its metrics must say of three steps."""


@pytest.fixture(scope="module")
def warm(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that knows the chain of tools a little: some episodes succeed, some do not."""
    folder = tmp_path_factory.mktemp("warm") / "chain"
    done = command("sft", "--out", str(folder), "env=tool_chain", *WARM, "model.sft.steps=60", "engine.device=cpu")
    assert done.exit_code == 0, done.output
    return folder


def words(recipe: str, warm: Path) -> tuple[str, ...]:
    own = PLAYED_WITH.get(recipe, ())
    if any(word.startswith("env=") for word in own):
        return (*SHORT, f"algorithm={recipe}", *own)
    return (*SHORT, f"algorithm={recipe}", *CHAIN, f"model.path={warm}", "model.sft.steps=0", *own)


@pytest.mark.parametrize("recipe", options("algorithm"))
def test_a_recipe_trains(recipe: str, warm: Path, command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = command("train", *words(recipe, warm), f"run_dir={run}")
    assert done.exit_code == 0, done.output
    steps = [record for record in read_metrics(run) if record["step"]]
    assert [record["step"] for record in steps] == [1, 2, 3]
    updates = [record for record in steps if "loss" in record]
    assert all(math.isfinite(record[name]) for record in updates for name in ("loss", "grad_norm"))
    if recipe not in ("aspo_tool", "toolrl"):  # a model that has just begun to search seldom finds anything
        assert any(record["grad_norm"] > 0 for record in updates)
    assert SHOWN.get(recipe, bool)(steps)
    assert json.loads((run / "summary.json").read_text())["steps"] == 3


@pytest.mark.parametrize("recipe", ["tppo", "turn_ppo", "spo_tree"])
def test_a_stateful_recipe_goes_on_as_if_it_had_not_stopped(
    recipe: str, warm: Path, command: Command, tmp_path: Path
) -> None:
    """Windows that wait, a critic, a replay buffer: all of it is in the checkpoint."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    settings = (*words(recipe, warm), *CONSTANT, "checkpoint_every=1")
    assert command("train", *settings, f"run_dir={whole}").exit_code == 0
    assert command("train", *settings, "steps=2", f"run_dir={cut}").exit_code == 0
    config = (cut / "config.yaml").read_text()
    (cut / "config.yaml").write_text(config.replace("steps: 2\n", "steps: 3\n"))
    done = command("train", "--resume", str(cut))
    assert done.exit_code == 0, done.output
    expected, found = (read_metrics(run)[-1] for run in (whole, cut))
    assert found["step"] == 3
    assert found | {"time": 0} == expected | {"time": 0}
