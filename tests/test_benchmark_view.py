"""The benchmark of the pages runs, at its smallest, and asks every question."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks/view.py"


def test_it_runs_and_asks_every_question(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    sizes = ["--episodes", "120", "--per-file", "50", "--times", "1", "--no-browser", "--out", str(out)]
    done = subprocess.run([sys.executable, str(SCRIPT), *sizes], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert (found["episodes"], found["per_file"]) == (120, 50)
    assert [row["what"] for row in found["rows"]] == [
        *("index made from the files", "index taken from the cache", "table of runs", "one run", "first page of 50"),
        *("next page", "last page", "sorted by return", "filtered: environment, outcome, invalid"),
        *("filtered: a hundred steps", "text search, rare", "text search, common", "facets", "transcript", "export"),
    ]
    assert all(0 < row["median_ms"] <= row["worst_ms"] for row in found["rows"])
