"""`turnwise new algorithm`: what it writes is tested and trained as it is; parts that cannot be loaded are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.credit import CREDITS
from turnwise.algorithms.method import PartError, Registry, declared
from turnwise.algorithms.recipes import AlgorithmSettings

Command = Callable[..., Any]
SMALL = (
    *("steps=2", "games_per_step=8", "model.sft.steps=3", "model.sft.games=20", "evaluation.final_games=4"),
    *("engine.device=cpu", "tensorboard=false"),
)


@pytest.fixture(scope="module")
def package(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "my-method"
    done = command("new", "algorithm", "my-method", "--folder", folder)
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith(f"python -m pytest {folder}\n    turnwise train algorithm=my_method\n")
    return folder


@pytest.fixture(scope="module")
def site(package: Path) -> str:
    """A path under which the package is installed: its source, and metadata as pip would write it."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    declare(package / "src", project["name"], project["entry-points"]["turnwise.algorithms"])
    return str(package / "src")


def declare(site: Path, package: str, entries: dict[str, str]) -> None:
    folder = site / f"{package.replace('-', '_')}-0.1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\nSummary: Of {package}\n")
    lines = "".join(f"{name} = {place}\n" for name, place in entries.items())
    (folder / "entry_points.txt").write_text(f"[turnwise.algorithms]\n{lines}")


def run(site: str, *words: str, code: int = 0, cwd: Path | None = None) -> str:
    env = {**os.environ, "PYTHONPATH": site, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_package_is_complete(package: Path) -> None:
    files = sorted(path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file())
    assert [name for name in files if ".dist-info" not in name and "__pycache__" not in name] == [
        "README.md",
        "pyproject.toml",
        "src/my_method/__init__.py",
        "src/my_method/configs/algorithm/my_method.yaml",
        "src/my_method/credit.py",
        "src/my_method/py.typed",
        "tests/test_my_method.py",
    ]
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert project["entry-points"] == {"turnwise.algorithms": {"credit.my_method": "my_method.credit:METHOD"}}


def test_its_own_tests_pass(package: Path, site: str) -> None:
    assert "5 passed" in run(site, "pytest", "-q", "-p", "no:cacheprovider", str(package), cwd=package)


def test_it_trains_as_it_is_and_is_listed(site: str, tmp_path: Path) -> None:
    told = run(site, "turnwise", "train", "algorithm=my_method", *SMALL, f"run_dir={tmp_path / 'run'}")
    assert "report: " in told
    metrics = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert metrics[-1]["step"] == 2
    assert "mean_return" in metrics[-1], "the figure of the method is in the log"
    assert "my_method              The return above a running mean" in run(site, "turnwise", "list", "algorithms")


def test_the_code_it_writes_is_clean(package: Path) -> None:
    ruff = Path(sys.executable).parent / "ruff"
    if not ruff.exists():  # the dev extra only
        return
    for words in (("check",), ("format", "--check")):
        line = [ruff, *words, "--isolated", "--line-length", "120", "."]
        done = subprocess.run(line, cwd=package, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_name_of_turnwise_s_own_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "algorithm=grpo is turnwise's own" in refused("new", "algorithm", "grpo", "--folder", tmp_path / "there")


# --- parts of other packages ---------------------------------------------------------------------------------------


@pytest.fixture
def crowd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[Any]:
    """A registry beside packages of every kind."""
    (tmp_path / "part_good.py").write_text("from turnwise.algorithms.credit import CREDITS\nMETHOD = CREDITS['rae']\n")
    (tmp_path / "part_raising.py").write_text("raise RuntimeError('no licence')")
    (tmp_path / "part_other.py").write_text("METHOD = 3")
    for name in ("good", "raising", "other"):
        declare(tmp_path, f"part-{name}", {f"credit.{name}": f"part_{name}:METHOD"})
    declare(tmp_path, "part-twice", {"credit.twice": "part_good:METHOD"})
    declare(tmp_path, "part-again", {"credit.twice": "part_other:METHOD"})
    declare(tmp_path, "part-far", {"guard.far": "part_good:METHOD"})
    monkeypatch.syspath_prepend(tmp_path)
    return Registry("credit", {"own": CREDITS["rae"]})


def test_a_part_is_loaded_when_it_is_asked_for(crowd: Registry[Any]) -> None:
    assert [entry.name for entry in declared("credit")] == ["good", "other", "raising", "twice", "twice"]
    assert crowd.known("own") == ["own"]
    assert crowd.known("good") == ["good", "other", "own", "raising", "twice"]
    assert "part_good" not in sys.modules
    assert crowd["good"] is CREDITS["rae"]
    sys.modules.pop("part_good")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raising", "credit.raising cannot be loaded: part_raising:METHOD raised RuntimeError: no licence"),
        ("other", "credit.other is declared as part_other:METHOD, which has to be a Method: got int"),
        ("twice", "credit.twice is declared more than once (part_good:METHOD, part_other:METHOD)"),
    ],
)
def test_parts_that_cannot_serve(crowd: Registry[Any], name: str, message: str) -> None:
    with pytest.raises(PartError) as caught:
        crowd[name]
    assert str(caught.value).startswith(message)


def test_a_part_that_nobody_declares_is_told_with_the_nearest(crowd: Registry[Any]) -> None:
    with pytest.raises(KeyError):
        crowd["far"]
    with pytest.raises(ValueError, match=r"credit is one of .*: got 'goood'; did you mean 'good'\?"):
        AlgorithmSettings(credit="goood")
