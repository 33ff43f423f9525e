"""`turnwise check`, as one types it, and what it writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.envs.checker.catalogue import CHECKS
from turnwise.envs.checker.command import main
from turnwise.envs.checker.result import FAILED, PASSED, Report, Result, report_from_dict
from turnwise.envs.checker.show import failures, line, table
from turnwise.envs.registry import GAMES
from turnwise.envs.spec import GameSpec

HERE = Path(__file__).parent
Command = Callable[..., Any]


def test_an_id_gets_a_table_and_exit_code_0(command: Command, tmp_path: Path) -> None:
    done = command("check", "TicTacToe-LLM", "--json", tmp_path / "out" / "check.json")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "TicTacToe-LLM"
    assert [re.split(r"  +", text)[1] for text in lines[1:-1]] == [
        *(check.name for check in CHECKS if check.run is not None),
        *("hash seeds", "offline", "import"),
    ]
    assert lines[-1].startswith("1 of 1 environments passed, 0 not installed, ")
    found = json.loads((tmp_path / "out" / "check.json").read_text())
    (game,) = found["games"]
    assert (game["target"], game["passed"], game["capabilities"]["seats"]) == (
        "TicTacToe-LLM",
        True,
        ["player_0", "player_1"],
    )
    assert report_from_dict(game).find("zero sum").verdict == PASSED
    assert found["packages"]["gymnasium"]


def test_a_class_that_fails_gets_exit_code_1(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    done = command("check", "kit_games:Hunt", "faulty_games:OneAnchor", "-k", "anchor")
    assert done.exit_code == 1
    assert "FAIL  faulty_games:OneAnchor" in done.stdout
    assert "faulty_games:OneAnchor: anchor: equal anchors, equal states: 'here' stood for" in done.stdout
    assert "1 of 2 environments passed" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "check needs an id, module:Class, --family NAME or --all"),
        (["KuhnPokr-LLM"], "did you mean 'KuhnPoker-LLM'?"),
        (["no_such_module:Game"], "No module named 'no_such_module'"),
        (["json:NoSuchClass"], "has no attribute 'NoSuchClass'"),
        (["KuhnPoker-LLM", "-k", "ancor"], "no check has 'ancor' in its name or group"),
        (["--family", "zzz"], "there is no family 'zzz'; known: "),
        (["--all", "--jobs", "0"], "--jobs is at least 1: got 0"),
    ],
)
def test_a_bad_question_gets_exit_code_2(words: list[str], message: str, command: Command) -> None:
    done = command("check", *words)
    assert done.exit_code == 2
    assert done.stderr.startswith("turnwise: ")
    assert message in done.stderr


def test_an_unknown_option_gets_exit_code_2_and_the_nearest(command: Command) -> None:
    done = command("check", "--al")
    assert (done.exit_code, "did you mean '--all'? (turnwise check --help)" in done.stderr) == (2, True)


def test_a_game_whose_package_is_missing_is_listed_and_does_not_fail(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = GameSpec(id="Moon-LLM", entry_point="nowhere:Moon", requires=(("no_such_module_x", "moon-rocket"),))
    monkeypatch.setitem(GAMES, "Moon-LLM", spec)
    done = command("check", "Moon-LLM", "Nim-LLM", "-k", "anchor")
    assert done.exit_code == 0, done.output
    assert "not installed  Moon-LLM: pip install 'moon-rocket'" in done.stdout
    assert "1 of 1 environments passed, 1 not installed" in done.stdout
    assert command("check", "Moon-LLM").exit_code == 1, "nothing of what was asked for could be checked"


def test_the_list_of_checks(command: Command) -> None:
    lines = command("check", "--list").stdout.splitlines()
    assert len(lines) == len(CHECKS)
    assert all(text.startswith(check.name) and check.promise in text for text, check in zip(lines, CHECKS, strict=True))


def test_it_runs_without_the_train_extra() -> None:
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['typer', 'rich', 'hydra', 'torch', 'transformers', 'click']))\n"
        "sys.argv = ['turnwise', 'check', 'Nim-LLM', '-k', 'zero sum']\n"
        "from turnwise.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 environments passed" in done.stdout
    words = ["-m", "turnwise.envs.checker", "Nim-LLM", "-k", "zero sum"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, "1 of 1 environments passed" in done.stdout) == (0, True), done.stderr


def report() -> Report:
    results = (
        Result(name="clone", group="state", verdict=PASSED, seconds=0.25),
        Result(name="secrets", group="texts", verdict=FAILED, detail="player_1 read it", seconds=1.0),
        Result(name="speed", group="processes", verdict=PASSED, figures={"turns per second": 1234.5}),
    )
    return Report(target="acme/Maze-LLM", results=results, seconds=1.25)


def test_reports_in_words() -> None:
    assert list(table(report())) == [
        "pass  clone      0.25 s",
        "FAIL  secrets    1.00 s  player_1 read it",
        "pass  speed      0.00 s  turns per second 1.23e+03",
    ]
    told = "2 passed, 1 failed, 0 not applicable"
    assert line(report()) == f"FAIL  {'acme/Maze-LLM':40} {told:44}    1.2 s      1,234 turns/s"
    assert list(failures([report()])) == ["acme/Maze-LLM: secrets: player_1 read it"]


def test_reports_to_json_and_back() -> None:
    assert report_from_dict(json.loads(json.dumps(report().to_dict()))) == report()
    with pytest.raises(ValueError, match="a verdict is one of passed, failed, not applicable: got 'maybe'"):
        Result(name="x", group="y", verdict="maybe")
    with pytest.raises(KeyError, match="has no result of 'anchor'"):
        report().find("anchor")


def test_a_family_is_checked_whole(capsys: pytest.CaptureFixture[str]) -> None:
    family = GAMES["SimpleNegotiation-LLM"].family
    assert main(["--family", family, "-k", "utility bounds"]) == 0
    shown = capsys.readouterr().out
    assert all(spec.id in shown for spec in GAMES.values() if spec.family == family)
