"""The benchmark of a training step runs, at its smallest, and its figures fit together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks/train_step.py"


def test_it_runs_and_its_figures_fit_together(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    sizes = ["--envs", "kuhn_poker", "--steps", "2", "--warmup", "1", "--repeats", "1", "--json", str(out)]
    words = ["games_per_step=8", "model.sft.steps=2", "model.sft.games=50", "engine.device=cpu"]
    done = subprocess.run([sys.executable, str(SCRIPT), *sizes, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "KuhnPoker-LLM" in done.stdout
    (row,) = json.loads(out.read_text())["rows"]
    assert row["games"] == 8
    assert 8 <= row["turns"] <= 24
    assert row["turns"] <= row["tokens"] <= 8 * row["turns"]
    parts = sum(row[f"{part}_s"] for part in ("rollout", "credit", "pack", "update"))
    assert parts == pytest.approx(row["step_s"], rel=1e-3)
    assert 0 < row["model_s"] < row["step_s"]
    assert row["outside_model"] == pytest.approx(1 - row["model_s"] / row["step_s"])
    assert row["outside_us_per_turn"] == pytest.approx(1e6 * (row["step_s"] - row["model_s"]) / row["turns"])
    assert row["plain_generate_s"] > 0
    assert row["plain_update_s"] > 0
    assert row["peak_memory_mb"] > 100
