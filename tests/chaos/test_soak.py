"""Half an hour at full load, with a fault a minute: no episode is lost or counts twice, and memory is flat."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

soaking = import_module("soak")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["local", "ray"])
def test_a_long_run_under_faults_loses_nothing_and_does_not_grow(
    launcher: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    minutes = request.config.getoption("--soak-minutes")
    found = soaking.soak(tmp_path, launcher, minutes, every_s=min(60.0, 15 * minutes))
    assert sum(found["faults"].values()) >= 1
    assert found["trained"] + found["dropped"] == found["planned"] == soaking.GAMES * found["steps"]
    assert found["growth"] <= soaking.GROWTH


def test_the_table_says_what_was_measured() -> None:
    measured = {"launcher": "local", "minutes": 30.0, "faults": {"worker_killed": 20, "training_killed": 9}}
    measured |= {"steps": 1000, "planned": 32000, "trained": 31990, "dropped": 10, "memory_mb": 512.4, "growth": 0.996}
    last = soaking.table([measured]).splitlines()[-1]
    assert last == "| local | 30 | 29 | 1,000 | 32,000 | 31,990 | 10 | 512 MB | -0.4% |"
