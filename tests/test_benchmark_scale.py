"""The benchmarks of engines and of scale: what they compute by hand, and the simulation beside what was measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks"
sys.path.insert(0, str(FOLDER))  # its scripts import each other by name
engines, scale, simulation, waiting = (
    import_module(name) for name in ("engines", "scale", "scale_model", "waiting_game")
)


# --- the simulation, by hand ------------------------------------------------------------------------------------------


def layout(*numbers: int, cores: int = 99) -> Any:
    return simulation.Layout(*numbers, cores)


def costs(work: float, passing: float, learner: float, **rest: float) -> Any:
    return simulation.Costs(work, passing, rest.pop("task", 0.0), learner, **rest)


@pytest.mark.parametrize(
    ("engines", "learners", "ahead", "step", "stale"),
    [
        (1, 1, 0, 1.5, 0.0),  # one after the other
        (2, 1, 0, 1.0, 0.0),  # half a second each
        (1, 1, 1, 1.0, 1.0),  # the engine never waits
        (2, 1, 1, 0.5, 1.0),  # both take half a second, side by side
        (1, 2, 0, 1.25, 0.0),  # half the update each
        (4, 1, 2, 0.5, 2.0),  # the learner never waits, and the bound holds the engines back
    ],
)
def test_a_step_by_hand(engines: int, learners: int, ahead: int, step: float, stale: float) -> None:
    found = simulation.simulate(layout(engines, learners, ahead), costs(1.0, 0.0, 0.5))
    assert found["step_s"] == pytest.approx(step)
    assert found["staleness"] == pytest.approx(stale)


def test_cores_are_shared_and_time_that_passes_is_not() -> None:
    one_core = layout(2, 1, 1, cores=1)
    assert simulation.simulate(one_core, costs(1.0, 0.0, 0.5))["step_s"] == pytest.approx(1.5)
    assert simulation.simulate(one_core, costs(0.0, 1.0, 0.5))["step_s"] == pytest.approx(0.5)
    two_ranks = layout(1, 2, 0, cores=1)
    assert simulation.simulate(two_ranks, costs(1.0, 0.0, 0.5))["step_s"] == pytest.approx(1.5)


def test_what_does_not_divide() -> None:
    found = simulation.simulate(
        layout(1, 2, 0), costs(0.0, 1.0, 0.6, shared_s=0.2, exchange_s=0.1, sync_s=0.05, task=0.3)
    )
    assert found["step_s"] == pytest.approx(0.3 + 1.0 + 0.2 + (0.6 - 0.2) / 2 + 0.1 + 0.05)


def test_costs_are_read_from_one_worker() -> None:
    alone = {"step_s": 2.0, "rollout_s": 1.2, "credit_s": 0.05, "pack_s": 0.05, "update_s": 0.7, "turns": 100}
    rows = {
        "1 process": alone,
        "1 engine": alone | {"step_s": 2.3, "rollout_s": 1.4},
        "2 learners": alone | {"update_s": 0.5},
    }
    found = simulation.calibrated(rows, wait_ms=10.0)
    assert found == simulation.Costs(
        engine_work_s=pytest.approx(0.2),
        engine_pass_s=pytest.approx(1.0),
        task_s=pytest.approx(0.2),
        learner_s=pytest.approx(0.8),
        shared_s=pytest.approx(0.1),
        exchange_s=pytest.approx(0.15),
        sync_s=pytest.approx(0.1),
    )


def test_it_foretells_what_was_measured() -> None:
    result = json.loads((FOLDER / "results/scale.json").read_text())
    rows = [row for row in simulation.compared(result) if row["used_for"] == "check"]
    assert {"2 ranks", "2 engines", "1 engine, one step off", "2 engines, async"} <= {row["setup"] for row in rows}
    for row in rows:
        assert abs(row["error"]) <= simulation.TOLERANCE, row


def test_many_gpus_on_paper() -> None:
    planned = simulation.Planned(
        turn_cpu_s=simulation.Figure(1e-3, ""),
        episode_bytes=simulation.Figure(50_000, ""),
        episode_cpu_s=simulation.Figure(2.5e-3, ""),
    )
    today, spread = (simulation.plan(planned, 512, spread=way) for way in (False, True))
    assert (today["engines"], today["learners"]) == (173, 339)  # 8 x 200 / 11,800 s to play, 8 x 350 / 10,500 to learn
    assert today["handling_s"] == pytest.approx(339 * 64 * 2.5e-3)
    assert spread["handling_s"] == pytest.approx(64 * 2.5e-3)
    assert today["sync_s"] == pytest.approx(22 * 4 * 4.02e9 / 50e9)  # to 22 nodes of 8 engines, one after the other
    assert spread["sync_gb"] == pytest.approx(173 * 2 * 4.02)
    assert spread["tokens_per_s_per_gpu"] > 3 * today["tokens_per_s_per_gpu"]
    small = simulation.plan(planned, 8, spread=True)
    assert spread["tokens_per_s_per_gpu"] == pytest.approx(small["tokens_per_s_per_gpu"], rel=0.1)


def test_an_episode_on_its_way_is_measured() -> None:
    size, seconds = simulation.on_its_way(simulation.Planned())
    assert 8 * 200 * (4 + 2) < size < 1_000_000
    assert 0 < seconds < 1


# --- what is measured -------------------------------------------------------------------------------------------------


def test_the_waiting_game_rewards_whoever_follows_the_signs() -> None:
    game = waiting.Signs(turns=3, wait_ms=0.0)
    game.start(np.random.default_rng(0))
    total = 0.0
    while game.seat is not None:
        sign = "left" if "says left" in game.observe("player_0") else "right"
        assert game.observe("player_0") == ""
        step = game.play(sign)
        total += step.rewards["player_0"]
    assert step.terminated
    assert total == pytest.approx(1.0)


def test_the_waiting_game_is_known_to_turnwise() -> None:
    with waiting.installed() as folder:
        code = f"import turnwise; print(type(turnwise.make_game({waiting.ID!r}, wait_ms=2)).__name__)"
        environment = os.environ | {"PYTHONPATH": folder}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
        )
    assert done.stdout.strip() == "Signs", done.stderr


def test_figures_of_a_run() -> None:
    def record(step: int, seconds: float) -> dict[str, Any]:
        times = {"step": seconds, "rollout": seconds / 2, "update": seconds / 4}
        return {"step": step, "tokens": 100 * step, "turns": 10 * step, "time": times, "staleness/mean": 1.0}

    records = [{"step": 0, "tokens": 0, "turns": 0, "time": {}}, *(record(step, step / 2) for step in range(1, 6))]
    size = type("Size", (), {"warmup": 2, "games": 6})
    found = scale.figures(records, size)
    assert (found["step_s"], found["rollout_s"], found["update_s"], found["wait_s"]) == (2.0, 1.0, 0.5, 0.0)
    assert (found["games_per_s"], found["tokens_per_s"], found["turns"], found["staleness"]) == (3.0, 50.0, 10, 1.0)


def test_what_scale_does_not_know_is_refused() -> None:
    words = [sys.executable, str(FOLDER / "scale.py"), "--setups", "3 engines"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "--setups takes 1 process; 2 ranks" in done.stderr


def test_shares_of_offline_are_of_the_same_repeat() -> None:
    def one(tokens: float, wall: float) -> dict[str, float]:
        return engines.rates(int(tokens), wall, wall / 2, 5)

    rows = engines.table(
        4, {"vllm": [one(90, 1), one(40, 1), one(95, 1)], "vllm offline": [one(100, 1), one(50, 1), one(100, 1)]}
    )
    assert [row["of_offline"] for row in rows] == [0.9, 1.0]
    assert [row["tokens_per_s"] for row in rows] == [90.0, 100.0]
    assert rows[0]["tokens_per_cpu_s"] == 180.0
    assert rows[0]["turn_ms"] == 200.0


def test_the_engine_benchmark_runs(tmp_path: Path) -> None:
    out = tmp_path / "engines.json"
    words = ["--engines", "local", "--concurrency", "2", "--waves", "1", "--repeats", "1", "--hidden", "64"]
    done = subprocess.run(
        [sys.executable, str(FOLDER / "engines.py"), *words, "--max-tokens", "4", "--json", str(out)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(out.read_text())["rows"]
    assert (row["episodes at once"], row["engine"]) == (2, "local")
    assert row["tokens"] <= 4 * row["turns"]
    assert row["turns"] >= 8 * 5  # eight games of five moves or more
