"""Recipes that ask something of their own of the ranks give the losses of one process: slow, five runs of each kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from turnwise.algorithms.reporting.runlog import read_metrics

pytestmark = pytest.mark.slow
DEADLINE_S = 900
SMALL = (
    *("engine.device=cpu", "steps=2", "games_per_step=16", "evaluation.every=0", "evaluation.final_games=4"),
    *("tensorboard=false", "model.sft.games=50", "model.sft.batch=64", "model.sft.steps=20"),
)
CHAIN = ("env=tool_chain", "model.sft.teacher=expert")
RUNS = {
    "dapo": (*CHAIN, "algorithm=dapo", "algorithm.group_size=2"),
    "hpt": (*CHAIN, "algorithm=hpt", "algorithm.group_size=2"),
    "spo_chain": (*CHAIN, "algorithm=spo_chain"),
    "par": (*CHAIN, "algorithm=par"),
    "league": ("env=kuhn_poker", "agent=league", "agent.league.every=1"),
}
"""More groups where they are needed; demonstrations; scores on the way; games of a reference; snapshots."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`dapo-1` of one process, `dapo-2` of two, and so on."""
    root = tmp_path_factory.mktemp("recipes")
    for size in (1, 2):
        runs = {str(root / f"{name}-{size}"): [*SMALL, *words] for name, words in RUNS.items()}
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)]
        done = subprocess.run(
            [*launch, str(Path(__file__).parent / "runs.py"), json.dumps(runs)],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return root


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_give_the_losses_of_one(name: str, folder: Path) -> None:
    one, two = (list(read_metrics(folder / f"{name}-{size}")) for size in (1, 2))
    assert len(one) == len(two) == 3
    for mine, theirs in zip(two[1:], one[1:], strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], abs=1e-5)
        assert (mine["games"], mine["turns"]) == (theirs["games"], theirs["turns"])
