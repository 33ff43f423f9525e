"""`turnwise doctor`: its verdicts, one by one, and the whole."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from turnwise import doctor
from turnwise.doctor import ABSENT, OK, WRONG, Finding, fits, read_requirement


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("numpy<3,>=2.0", ("numpy", "<3,>=2.0", None)),
        ('torch<2.14,>=2.11; extra == "train"', ("torch", "<2.14,>=2.11", "train")),
        ('math-verify[antlr4_9_3]<1,>=0.8; extra == "math"', ("math-verify", "<1,>=0.8", "math")),
        ('turnwise[train,games]; extra == "all"', ("turnwise", "", "all")),
        ("open_spiel >=2", ("open_spiel", ">=2", None)),
    ],
)
def test_requirements_as_metadata_spells_them(line: str, parts: tuple[str, str, str | None]) -> None:
    found = read_requirement(line)
    assert (found.name, found.bounds, found.extra) == parts


@pytest.mark.parametrize(
    ("version", "bounds", "kept"),
    [
        ("2.4.6", "<3,>=2.0", True),
        ("3.0", "<3", False),
        ("3", "<3.0.1", True),
        ("2.11.0+cpu", ">=2.11,<2.14", True),
        ("2.14.0rc1", "<2.14", False),
        ("1.10", ">=1.9", True),
        ("1.2", "==1.2.0", True),
        ("1.2", "!=1.2", False),
        ("1.2", "<=1.1", False),
        ("1.2", ">1.2", False),
        ("1.2", "", True),
    ],
)
def test_versions_within_bounds(version: str, bounds: str, kept: bool) -> None:
    assert fits(version, bounds) is kept


def test_what_is_missing_or_too_old_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "numpy>=2",
        "rocket>=1",
        'torch>=99; extra == "train"',
        'sail>=1; extra == "sea"',
        'pytest; extra == "test"',
    ]
    monkeypatch.setattr(doctor, "requires", lambda name: lines)
    numpy, rocket = doctor.packages()
    assert (numpy.verdict, rocket.verdict) == (OK, WRONG)
    assert rocket.told == "is not installed: pip install 'rocket>=1'"
    train, sea, test = doctor.extras()
    assert (train.verdict, sea.verdict, test.verdict) == (WRONG, ABSENT, OK)
    assert "does not fit >=99: pip install 'torch>=99'" in train.told
    assert sea.told == 'missing sail: pip install "turnwise[sea]"'


def test_a_cache_that_cannot_be_written_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path / "deep/cache"))
    finding = doctor._cache()
    assert (finding.verdict, finding.told) == (OK, f"{tmp_path / 'deep/cache'} (not there yet)")
    (tmp_path / "file").touch()
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path / "file/cache"))
    finding = doctor._cache()
    assert (finding.verdict, "set TURNWISE_CACHE to one that is" in finding.told) == (WRONG, True)


def test_the_whole_diagnosis(command: Callable[..., Any]) -> None:
    done = command("doctor")
    assert done.exit_code == 0, done.output
    titles = [line for line in done.stdout.splitlines() if line in doctor.SECTIONS]
    assert titles == ["packages", "extras", "machine", "plugins"]
    for name in ("gymnasium", "train", "GPU", "disk", "sandbox", "cache", "port", "chromium", "none"):
        assert any(line.split()[1:2] == [name] for line in done.stdout.splitlines()), name
    assert done.stdout.splitlines()[-1] == "nothing is wrong"


def test_the_diagnosis_as_json(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    finding = Finding(WRONG, "x", "is broken")
    monkeypatch.setattr(doctor, "SECTIONS", {"machine": lambda: [finding]})
    done = command("doctor", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["wrong"]) == (1, 1)
    assert found["machine"] == [{"verdict": "FAIL", "name": "x", "told": "is broken"}]


def test_a_full_disk_is_wrong_and_a_taken_port_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=5e8))
    assert (doctor._disk().verdict, "0.5 GB free" in doctor._disk().told) == (WRONG, True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr("turnwise.view.serve.USUAL_PORT", taken.getsockname()[1])
        finding = doctor._port()
    assert (finding.verdict, "turnwise view takes another one" in finding.told) == (ABSENT, True)


@pytest.mark.parametrize(
    ("name", "verdict", "told"),
    [
        ("credit.rae", OK, ""),
        ("credits.rae", WRONG, "a part is named STAGE.NAME, of the stages explore, rewards, credit"),
    ],
)
def test_parts_of_other_packages_are_loaded(
    name: str, verdict: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "entry_points", lambda group: [EntryPoint(name, "mine:METHOD", group)])
    (finding,) = doctor.plugins()
    assert (finding.verdict, told in finding.told) == (verdict, True)
