"""`turnwise new env`: what it writes is checked, tested and trained as it is; what cannot be written is refused."""

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

from turnwise.scaffold.names import names_of

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def package(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "my-game"
    done = command("new", "env", "my-game", "--folder", folder, "--author", "A. Stranger")
    assert done.exit_code == 0, done.output
    assert f"    pip install -e {folder}\n    turnwise check my-game/MyGame-LLM" in done.stdout
    return folder


@pytest.fixture(scope="module")
def site(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has put what `pip install -e` puts into an environment."""
    target = tmp_path_factory.mktemp("site")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target))
    words = [sys.executable, "-m", "pip", "install", *options, "-e", str(package)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def run(site: Path, *words: str, cwd: Path | None = None) -> str:
    """Output of a Python in whose environment the package is, by way of the .pth file that pip has written."""
    code = f"import site, sys; site.addsitedir({str(site)!r}); sys.argv = {list(words)!r}; "
    code += "import runpy; runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
    links = [line for file in site.glob("*.pth") for line in file.read_text().split() if line.startswith("/")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *links]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=cwd or site, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_package_is_complete(package: Path) -> None:
    files = sorted(path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file())
    assert [name for name in files if ".egg-info" not in name and "__pycache__" not in name] == [
        "README.md",
        "pyproject.toml",
        "src/my_game/__init__.py",
        "src/my_game/configs/env/my_game.yaml",
        "src/my_game/game.py",
        "src/my_game/py.typed",
        "tests/test_my_game.py",
    ]
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert project["authors"] == [{"name": "A. Stranger"}]
    assert project["entry-points"] == {"turnwise.envs": {"my-game/MyGame-LLM": "my_game.game:MyGame"}}
    code = (package / "src/my_game/game.py").read_text()
    assert 30 <= len(code.splitlines()) <= 40


def test_it_passes_the_check_and_its_own_tests(package: Path, site: Path) -> None:
    assert "1 of 1 environments passed" in run(site, "turnwise", "check", "my-game/MyGame-LLM")
    assert "2 passed" in run(site, "pytest", "-q", "-p", "no:cacheprovider", str(package), cwd=package)


def test_it_trains_at_once_and_is_listed(site: Path, tmp_path: Path) -> None:
    small = ("steps=2", "games_per_step=8", "model.sft.steps=3", "model.sft.games=20", "evaluation.final_games=4")
    told = run(site, "turnwise", "train", "env=my_game", *small, "engine.device=cpu", f"run_dir={tmp_path / 'run'}")
    assert "report: " in told
    assert "guesses: 3" in (tmp_path / "run/config.yaml").read_text()
    assert "my-game/MyGame-LLM  plugins  Find a hidden number" in run(
        site, "turnwise", "list", "envs", "--family", "plugins"
    )


def test_the_code_it_writes_is_clean(package: Path) -> None:
    ruff = Path(sys.executable).parent / "ruff"
    if not ruff.exists():  # the dev extra only
        return
    for words in (
        ["check", "--isolated", "--line-length", "120"],
        ["format", "--check", "--isolated", "--line-length", "120"],
    ):
        done = subprocess.run([ruff, *words, "."], cwd=package, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_names_in_their_places() -> None:
    for given in ("my-small_game", "my-small-game"):
        names = names_of(given)
        assert (names.package, names.module, names.camel) == ("my-small-game", "my_small_game", "MySmallGame")
        assert names.id == "my-small-game/MySmallGame-LLM"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("My Game", "a name is small letters, digits and - between them, such as my-game: got 'My Game'"),
        ("9lives", "a name is small letters"),
        ("../up", "a name is small letters"),
        ("json", "'json' is a word or a module of Python's own"),
        ("class", "'class' is a word or a module of Python's own"),
        ("turnwise", "choose another name"),
        ("kuhn-poker", "env=kuhn_poker is turnwise's own: choose another name"),
        ("openspiel", "the namespace 'openspiel' is taken: choose another name"),
    ],
)
def test_names_that_cannot_be(name: str, message: str, refused: Callable[..., str], tmp_path: Path) -> None:
    assert message in refused("new", "env", name, "--folder", tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_nothing_is_overwritten(package: Path, refused: Callable[..., str]) -> None:
    before = (package / "README.md").read_text()
    assert f"{package} is not empty: choose another with --folder" in refused(
        "new", "env", "other", "--folder", package
    )
    assert (package / "README.md").read_text() == before


def test_an_author_that_would_break_the_file_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "an author is a name without quotes" in refused("new", "env", "x", "--folder", tmp_path, "--author", 'A "B"')


def test_the_kind_is_needed(command: Command, refused: Callable[..., str]) -> None:
    assert "KIND, NAME" in refused("new")
    assert refused("new", "enf", "x").startswith("KIND is env or algorithm: got 'enf'; did you mean 'env'?")
    shown = command("new", "--help")
    assert (shown.exit_code, "turnwise new algorithm my-method" in shown.stdout) == (0, True)


def test_json_says_what_was_written_and_what_to_do(command: Command, tmp_path: Path) -> None:
    done = command("new", "env", "my-other", "--folder", tmp_path / "p", "--json")
    found = json.loads(done.stdout)
    assert [Path(path).is_file() for path in found["files"]] == [True] * 7
    assert found["next"][1:] == ["turnwise check my-other/MyOther-LLM", "turnwise train env=my_other"]
