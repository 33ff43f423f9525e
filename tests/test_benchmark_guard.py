"""The guard against slower code: what it says of prices, and that its workloads run."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
guard = import_module("guard")
STORED = {
    "commit": "0123456789abcdef",
    "machine": {"cpu": "an older one"},
    "rows": [{"workload": "a", "price": 2.0}, {"workload": "b", "price": 1.0}, {"workload": "gone", "price": 1.0}],
}


def price(value: float) -> dict[str, float]:
    return {"price": value, "spread": 0.1, "ms": 5.0}


def test_what_costs_over_15_percent_more_is_slower(capsys: pytest.CaptureFixture[str]) -> None:
    assert guard.judge({"a": price(2.29), "b": price(0.5), "c": price(9.0)}, STORED) == 0
    said = capsys.readouterr().out
    assert [line.split()[-1] for line in said.splitlines()[2:5]] == ["ok", "ok", "new"]
    assert "stored on another processor (an older one; this is " in said
    assert guard.judge({"a": price(2.31), "b": price(1.0)}, STORED) == 1
    assert "over 15% dearer than at 0123456789: a" in capsys.readouterr().out


def test_a_price_is_in_yardsticks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))

    def ticks() -> float:
        return next(clock) * 0.01

    monkeypatch.setattr(guard.time, "process_time", ticks)
    monkeypatch.setattr(guard, "yardstick", lambda: 0.0)
    found = guard.prices({"none": lambda: None, "twice": lambda: [ticks(), ticks()]}, 3)
    assert found["none"] == {"price": pytest.approx(1.0), "spread": pytest.approx(0.0), "ms": pytest.approx(10.0)}
    assert found["twice"]["price"] == pytest.approx(3.0)


def test_workloads_run_and_are_stored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "guard.json"
    words = ["--only", "env stepping,tree update,stub rollout", "--rounds", "1", "--stored", str(path)]
    with pytest.raises(SystemExit, match="is not there: store prices with --update first"):
        guard.main(words)
    assert guard.main([*words, "--update"]) == 0
    rows: list[dict[str, Any]] = json.loads(path.read_text())["rows"]
    assert all(row["price"] > 0 and row["ms"] > 0 for row in rows)
    assert guard.main(words) in (0, 1)
    assert "verdict" in capsys.readouterr().out
