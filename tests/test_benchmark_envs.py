"""The benchmarks of environments and of search run, at their smallest, and their figures fit together."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.processes

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


def run(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(FOLDER / script), *words]
    return subprocess.run(line, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def peers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_peers", FOLDER / "peers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_view_and_every_peer_has_a_row_that_fits_together(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = run("envs.py", "--ids", "TicTacToe-LLM", "--seconds", "0.02", "--repeats", "1", "--json", str(out))
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    rows: list[dict[str, Any]] = result["rows"]
    assert [row["view"] for row in rows] == ["raw", "referee", "pettingzoo", "gymnasium"]
    assert [row.get("floor") for row in rows] == [50_000, None, None, None]
    for row in rows:
        assert 5 <= row["turns_per_game"] <= 9
        assert row["us_per_turn"] == pytest.approx(1e6 / row["turns_per_s"], rel=1e-3)
        assert row["start_ms"] > 0
        assert row["spread"] == 0  # of one repeat
    assert [(row["game"], row["view"]) for row in result["peers"]] == [
        ("textarena TicTacToe-v0", "default"),
        ("textarena TicTacToe-v0", "raw"),
    ]
    for row in result["peers"]:
        if "error" in row:  # where TextArena is not installed
            assert row["error"].startswith("ModuleNotFoundError")
        else:
            assert 5 <= row["turns_per_game"] <= 9
            assert row["ratio"] == pytest.approx(row["ours_turns_per_s"] / row["turns_per_s"], abs=0.01)


def test_a_game_elsewhere_that_does_not_start_is_listed_with_its_error() -> None:
    words = ["--ids", "Hangman-LLM", "--views", "raw", "--seconds", "0.01", "--repeats", "1"]
    done = run("envs.py", *words)
    assert done.returncode == 0, done.stderr
    assert "gem Hangman-v0-hard" in done.stdout
    unknown = run("envs.py", "--families", "opera")
    assert unknown.returncode == 1
    assert "--families takes alfworld, " in unknown.stderr
    assert "got opera" in unknown.stderr


@pytest.mark.parametrize(
    ("board", "moves"),
    [
        ([[2, 4], [8, 16]], set()),
        ([[2, 0], [4, 0]], {"[right]"}),
        ([[2, 2], [4, 8]], {"[left]", "[right]"}),
        ([[0, 0], [2, 4]], {"[up]"}),
    ],
)
def test_random_moves_of_2048_change_the_board(peers: ModuleType, board: list[list[int]], moves: set[str]) -> None:
    env = SimpleNamespace(state=SimpleNamespace(game_state={"board": board}))
    drawn = {peers.game_2048(env, random.Random(seed)) for seed in range(40)}
    assert drawn == (moves or {"[up]", "[down]", "[left]", "[right]"})


def test_random_bids_of_liars_dice_rise(peers: ModuleType) -> None:
    state = {"current_bid": {"quantity": 2, "face_value": 5}, "remaining_dice": {0: 1, 1: 2}}
    env = SimpleNamespace(state=SimpleNamespace(game_state=state))
    drawn = {peers.liars_dice(env, random.Random(seed)) for seed in range(60)}
    assert drawn == {"[Call]", "[Bid: 2, 6]", "[Bid: 3, 5]", "[Bid: 3, 6]"}
    state["current_bid"] = {"quantity": 0, "face_value": 0}
    assert "[Call]" not in {peers.liars_dice(env, random.Random(seed)) for seed in range(60)}


def test_the_search_benchmark_runs(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    words = ["--sizes", "200", "--retrievers", "bm25", "--questions", "20", "--json", str(out)]
    done = run("search.py", *words)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(out.read_text())["rows"]
    assert (row["retriever"], row["size"]) == ("bm25", 200)
    assert row["recall"] >= 0.95
    assert 0 < row["p50_ms"] <= row["p95_ms"]
    assert 0.01 < row["disk_mb"] < 1
    assert row["build_s"] > 0
    assert row["build_mb"] > 20
    assert "floor_ms" not in row
