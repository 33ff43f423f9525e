"""Whatever befalls a run, it ends with the episodes, the steps and the state of one that nothing befell."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

chaos, faults, pages = (import_module(name) for name in ("chaos", "faults", "pages"))
QUICK = [fault for fault in faults.FAULTS if fault.quick]
OTHERS = [fault for fault in faults.FAULTS if not fault.quick]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return chaos.Chaos(tmp_path_factory.mktemp("chaos"))


def name(fault: Any) -> str:
    return str(fault.name)


@pytest.mark.parametrize("fault", QUICK, ids=name)
def test_a_fault_leaves_no_trace(fault: Any, trials: Any) -> None:
    assert trials.judge(fault)["wrong"] == ""


@pytest.mark.slow
@pytest.mark.parametrize("fault", OTHERS, ids=name)
def test_another_fault_leaves_no_trace(fault: Any, trials: Any) -> None:
    if reason := fault.able():
        pytest.skip(reason)
    assert trials.judge(fault)["wrong"] == ""


def test_a_trace_would_be_seen(trials: Any, tmp_path: Path) -> None:
    """The comparison is not blind: another seed, and a step less, differ."""
    import shutil

    from turnwise.algorithms.reporting.fingerprint import contents, difference

    run = trials.undisturbed(next(fault for fault in QUICK if fault.name == "SIGTERM"))
    mine = contents(run)
    assert difference(mine, contents(run)) is None
    other = shutil.copytree(run, tmp_path / "run")
    summary = json.loads((other / "summary.json").read_text())
    (other / "summary.json").write_text(json.dumps(summary | {"games": summary["games"] - 1}))
    assert difference(mine, contents(other)) == f"/summary/games is {summary['games']} and {summary['games'] - 1}"
    changed = contents(run)
    baselines = changed["state"]["algorithm"]["credit.rae"]["baselines"]
    first = sorted(baselines)[0]
    baselines[first] += 1e-4
    assert "/state/algorithm/credit.rae/baselines" in str(difference(mine, changed))
    assert difference(mine, changed, tolerance=1e-3) is None


def test_the_page_holds_what_was_measured() -> None:
    rows = json.loads(chaos.RESULT.read_text())["rows"]
    page = chaos.PAGE.read_text()
    assert page == pages.filled(page, "chaos", lambda part: chaos.table(rows))
    assert [(row["fault"], row["then"]) for row in rows] == [(fault.name, fault.then) for fault in faults.FAULTS]
    assert [row["wrong"] for row in rows if row.get("wrong")] == []
