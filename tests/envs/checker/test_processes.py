"""What shows from outside: the network, hash seeds, imports, and workers that hang or die."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnwise.envs.checker.pool import Worker, check_targets
from turnwise.envs.checker.processes import check_processes, judged
from turnwise.envs.checker.result import FAILED, NOT_APPLICABLE, PASSED, Report

GOOD = {"loaded": False, "walls": "no network", "tried": [], "import_s": 0.5, "digest": "a"}


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children find the modules of this folder, as they find those of the folder that a user works in."""
    monkeypatch.chdir(Path(__file__).parent)


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    names = ("Connects", "WorksWithoutTheNetwork", "OrdersBySet", "Dies", "Hunt", "NoSuchClass")
    targets = [*(f"faulty_processes:{name}" for name in names), "kit_games:Cards", "no_such_module:X", "KuhnPoker-LLM"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(__file__).parent)
        return check_processes(targets)


def verdicts(report: Report) -> dict[str, str]:
    return {result.name: result.verdict for result in report.results}


def test_games_that_behave_pass(reports: dict[str, Report]) -> None:
    for target in ("kit_games:Cards", "faulty_processes:Hunt", "KuhnPoker-LLM"):
        assert verdicts(reports[target]) == {"hash seeds": PASSED, "offline": PASSED, "import": PASSED}
        assert reports[target].find("offline").figures["tried to connect"] == "nowhere"
        assert 0 < float(reports[target].find("import").figures["ms"]) < 10_000


def test_a_game_that_needs_the_network_is_found(reports: dict[str, Report]) -> None:
    result = reports["faulty_processes:Connects"].find("offline")
    assert result.verdict == FAILED
    assert "no network here: a connection to ('192.0.2.1', 80) was refused" in result.detail


def test_a_game_that_would_like_the_network_is_told_of(reports: dict[str, Report]) -> None:
    result = reports["faulty_processes:WorksWithoutTheNetwork"].find("offline")
    assert (result.verdict, result.figures["tried to connect"]) == (PASSED, "example.org")


def test_a_game_that_follows_the_order_of_a_set_is_found(reports: dict[str, Report]) -> None:
    result = reports["faulty_processes:OrdersBySet"].find("hash seeds")
    assert result.verdict == FAILED
    assert result.detail.startswith("episodes are the same under every PYTHONHASHSEED: 1 gave ")


def test_a_game_that_kills_its_process_spoils_no_other(reports: dict[str, Report]) -> None:
    result = reports["faulty_processes:Dies"].find("offline")
    assert (result.verdict, result.detail) == (FAILED, "in a process without a network: the process ended by SIGSEGV")


def test_what_cannot_be_imported_is_told(reports: dict[str, Report]) -> None:
    missing = reports["no_such_module:X"]
    assert "ModuleNotFoundError: No module named 'no_such_module'" in missing.find("offline").detail
    assert missing.find("import").verdict == NOT_APPLICABLE
    assert "AttributeError" in reports["faulty_processes:NoSuchClass"].find("offline").detail


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (GOOD, GOOD, (PASSED, PASSED, PASSED)),
        (GOOD, {**GOOD, "digest": "b"}, (FAILED, PASSED, PASSED)),
        (GOOD, {"error": "gone"}, (NOT_APPLICABLE, FAILED, PASSED)),
        ({**GOOD, "loaded": True}, GOOD, (PASSED, PASSED, FAILED)),
        ({**GOOD, "import_s": 11.0}, GOOD, (PASSED, PASSED, FAILED)),
    ],
)
def test_verdicts_on_two_answers(first: dict[str, object], second: dict[str, object], wanted: tuple[str, ...]) -> None:
    assert tuple(result.verdict for result in judged(first, second)) == wanted


def test_a_worker_that_dies_or_hangs_is_one_failure_and_the_others_go_on() -> None:
    worker = Worker()
    try:
        assert worker.check("kit_games:Hunt", "anchor").passed
        lost = worker.check("faulty_processes:Dies", "anchor")
        (result,) = lost.results
        assert (lost.passed, worker.alive) == (False, False)
        assert result.detail.startswith("checking ended the process (exit code -11); its last words: ")
        assert "these are my last words" in result.detail
    finally:
        worker.close()
    slow = Worker(longest_s=0.5)
    try:
        assert slow.check("faulty_processes:Hangs", "anchor").results[0].detail == (
            "a game is checked in less than 0.5 s: this one was given up"
        )
    finally:
        slow.close()


def test_games_are_checked_side_by_side_and_reported_in_order() -> None:
    targets = ["faulty_processes:Dies", "kit_games:Hunt", "kit_games:Cards", "kit_games:Chat"]
    heard: list[str] = []
    found = check_targets(targets, "clone", say=lambda report: heard.append(report.target))
    assert [report.target for report in found] == targets
    assert sorted(heard) == sorted(targets)
    assert [report.passed for report in found] == [False, True, True, True]
