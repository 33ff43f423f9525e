"""The benchmark of the cost per turn runs at its smallest, and its figures fit together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

SCRIPT = Path(__file__).resolve().parent.parent / "benchmarks" / "turns.py"


def test_every_loop_has_a_row_whose_games_are_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    line = [
        sys.executable,
        str(SCRIPT),
        "--games",
        "100",
        "--repeats",
        "1",
        "--warmup",
        "100",
        "--games-with-one",
        "100",
        "--json",
        str(out),
    ]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert result["verifiers"] == "not run"
    loops = {row["loop"] for row in result["rows"]}
    assert {f"turnwise, {name}" for name in ("text", "tokens", "streamed", "raw", "referee", "gymnasium")} < loops
    for row in result["rows"]:
        low, high = (2, 9) if row["game"] == "KuhnPoker-LLM" else (5, 9)
        assert low <= row["turns_per_game"] <= high
        assert 0 < row["first_us"] < 1e5 and 0 < row["last_us"] < 1e5
    (fresh,) = (
        r for r in result["rows"] if r["game"] == "TicTacToe-LLM" and r["loop"].endswith("an environment a game")
    )
    (raw,) = (r for r in result["rows"] if r["game"] == "TicTacToe-LLM" and r["loop"] == "turnwise, raw")
    assert fresh["ratio"] == 1
    assert raw["ratio"] == pytest.approx(fresh["last_us"] / raw["last_us"])
