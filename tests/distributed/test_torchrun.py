"""Whole runs under torchrun with two processes: the numbers of one process, and checkpoints that fit either."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.checkpoint import checkpoint_path, load_checkpoint, newest
from turnwise.algorithms.reporting.runlog import read_metrics

DEADLINE_S = 900
STEPS = 5
SMALL = (
    *("env=kuhn_poker", f"steps={STEPS}", "games_per_step=32", "checkpoint_every=3", "tensorboard=false"),
    *("evaluation.every=0", "evaluation.final_games=20", "model.sft.steps=10", "model.sft.games=50"),
    "engine.device=cpu",
)
RECIPES = {
    "spiral": ("algorithm=spiral",),
    "ppo": ("algorithm=ppo", "algorithm.optimisation.layout=rows"),  # its critic's targets hang on the last bits
    "tis": ("algorithm=tis", "algorithm.optimisation.micro_batch_tokens=2000", "model.lora.rank=4"),
}


COUNTED = ("planned", "trained", "return/player_0", "win_rate/player_0", "learning_rate", "magnet_weight")
"""Figures that are the same to the bit, though they are written as fractions."""


@pytest.fixture(scope="module")
def folder(command: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one process (`spiral-1`), of two (`spiral-2`), and of `ppo` that went on from step 3 of either."""
    root = tmp_path_factory.mktemp("torchrun")
    for name, words in RECIPES.items():
        done = command("train", *SMALL, *words, f"run_dir={root / f'{name}-1'}")
        assert done.exit_code == 0, done.output
    _cut(root / "ppo-1", root / "ppo-1-2")
    runs = {str(root / f"{name}-2"): [*SMALL, *words] for name, words in RECIPES.items()}
    _torchrun(runs | {str(root / "ppo-1-2"): None})
    _cut(root / "ppo-2", root / "ppo-2-1")
    done = command("train", "--resume", root / "ppo-2-1")
    assert done.exit_code == 0, done.output
    return root


def _cut(run: Path, copy: Path) -> None:
    """Copy a run without what came after its checkpoint of step 3."""
    shutil.copytree(run, copy)
    shutil.rmtree(checkpoint_path(copy, STEPS))


def _torchrun(runs: dict[str, list[str] | None]) -> None:
    script = Path(__file__).parent / "runs.py"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, str(script), json.dumps(runs)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _same(mine: Path, theirs: Path) -> None:
    """Losses to 1e-5, other figures nearly so (rounding moves them), all that was played and counted exactly."""
    rows, others = list(read_metrics(mine)), list(read_metrics(theirs))
    assert [row["step"] for row in rows] == [row["step"] for row in others] == list(range(STEPS + 1))
    for row, other in zip(rows, others, strict=True):
        assert row.keys() == other.keys()
        assert row.get("loss", 0.0) == pytest.approx(other.get("loss", 0.0), abs=1e-5)
        for name in row.keys() - {"time", "eval"}:
            near = isinstance(row[name], float) and name not in COUNTED
            assert row[name] == (pytest.approx(other[name], abs=1e-4, rel=1e-4) if near else other[name]), name


@pytest.mark.parametrize("recipe", RECIPES)
def test_two_processes_give_the_losses_of_one(recipe: str, folder: Path) -> None:
    _same(folder / f"{recipe}-2", folder / f"{recipe}-1")
    losses = [row["loss"] for row in read_metrics(folder / f"{recipe}-2") if row.get("loss")]  # 0: all episodes alike
    assert len(set(losses)) == len(losses) >= 3


@pytest.mark.parametrize("run", ["ppo-1-2", "ppo-2-1"])
def test_a_run_goes_on_with_another_number_of_processes(run: str, folder: Path) -> None:
    _same(folder / run, folder / "ppo-1")


def test_what_two_processes_leave_behind(folder: Path) -> None:
    """Each has written its part of the learner; the weights are a plain folder, and the adapters one of peft's."""
    from transformers import AutoModelForCausalLM

    run = folder / "tis-2"
    last = newest(run)
    assert last == checkpoint_path(run, STEPS)
    assert {path.name for path in last.iterdir()} == {"state.pt", "shards", "model", "adapter", "manifest.json"}
    assert {path.name for path in (last / "shards").iterdir()} == {".metadata", "__0_0.distcp", "__1_0.distcp"}
    assert load_checkpoint(last)["learner"] == last / "shards"
    one, two = (
        AutoModelForCausalLM.from_pretrained(checkpoint_path(folder / name, STEPS) / "model").state_dict()
        for name in ("tis-1", "tis-2")
    )
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-4
    assert not list(folder.rglob("*.tmp"))
    assert json.loads((run / "summary.json").read_text())["steps"] == STEPS
