"""The benchmark of a GPU, tried on a CPU: every part measures something, and what goes wrong stands in the result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "benchmarks/gpu")]
every_part, parts = import_module("every_part"), import_module("parts")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [str(ROOT / "benchmarks/gpu/run.sh"), *words], env=environment, capture_output=True, text=True, timeout=300
    )


def test_the_script_writes_one_json(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    done = run("--cpu-test", "--parts", "ceilings", "--json", str(out))
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert [row["what"] for row in result["rows"]] == ["bf16 matmul 64", "copy"]
    assert all(row["rate"] > 0 for row in result["rows"])
    assert (result["device"], result["cpu_test"]) == ("cpu", True)
    assert result["command"] == f"python benchmarks/gpu/every_part.py --cpu-test --parts ceilings --json {out}"
    assert result["machine"]["packages"]["torch"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    done = run("--parts", "ceilings", "--json", str(tmp_path / "gpu.json"))
    assert done.returncode == 1
    (row,) = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert "need a GPU that torch can see" in row["failed"]


@pytest.mark.parametrize("part", list(parts.PARTS))
def test_every_part_measures(part: str) -> None:
    place = parts.Place(cpu=True)
    rows: list[dict[str, Any]] = list(parts.PARTS[part](place, parts.TINY))
    assert rows
    for row in rows:
        assert row.get("note", "").startswith(("skipped", "off, of")) or row["seconds"] > 0
    json.dumps(rows)


def test_all_parts_together_stay_under_nine_minutes() -> None:
    assert list(every_part.DEADLINES_S) == list(parts.PARTS)
    assert sum(seconds for part, seconds in every_part.DEADLINES_S.items() if part not in every_part.ALONE) < 9 * 60


def test_a_wrong_kernel_ends_its_part() -> None:
    held = import_module("gates").held
    right = torch.tensor([1.0, 4.0])
    assert held("k", [right + 0.02], [right], 0.01)["rate"] == pytest.approx(0.005, abs=1e-6)
    with pytest.raises(AssertionError, match=r"k: 0\.25 off, relative to the largest; 0\.01 is allowed"):
        held("k", [right, right + 1.0], [right, right], 0.01)
    with pytest.raises(AssertionError, match="not finite"):
        held("k", [right * torch.nan], [right], 0.01)


def test_a_tree_has_the_tokens_it_should() -> None:
    batch = parts.tree_batch(4, 16, 4, 6, 1, 320)
    # after one turn in common two pairs, after two turns four paths: 16 + 6 + 2 * 6 + 4 * 2 * 6 tokens
    assert parts.distinct_tokens(batch) == 82
    assert batch.lengths.tolist() == [16 + 4 * 6] * 4
    assert int(batch.mask.sum()) == 4 * 4 * 3


def test_the_products_of_an_update_by_hand() -> None:
    config = parts.config_of("tiny")  # 64 wide, 128 inside, 2 layers, 2 heads of 32, 320 choices
    weights = 64 * 32 * 8 + 3 * 64 * 128
    a_token = 2 * (2 * weights + 2 * 2 * 32 * 10)
    assert parts.update_flops(config, 3, 10, 4, False) == 3 * a_token * 30 + 4 * 2 * 64 * 320 * 12


def test_the_sizes_are_those_of_the_models() -> None:
    shapes = [parts.shape_of_config(parts.config_of(name)) for name in ("0.6B", "4B")]
    assert [shape.parameters for shape in shapes] == [596_049_920, 4_022_468_096]


def test_a_part_that_comes_too_late_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(every_part.DEADLINES_S, "ceilings", 0.01)
    (row,) = every_part.run("ceilings", True)
    assert row["failed"] == "not done in 0.01 s"
