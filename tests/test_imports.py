"""What an import loads, and what still imports where optional packages are absent. Each case is a fresh interpreter."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "transformers", "vllm", "triton", "textworld", "ray", "pyspiel")

# A GPU image holds torch, triton, transformers and numpy; these it may lack.
ABSENT = (
    *("gymnasium", "pettingzoo", "pyspiel", "open_spiel", "hydra", "omegaconf"),
    *("pyarrow", "tensorboard", "matplotlib"),
)

BLOCKER = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    names = set({names!r})
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def python(code: str, *, absent: tuple[str, ...] = (), path: Path = ROOT / "src") -> subprocess.CompletedProcess[str]:
    """Run `code` with the packages in `absent` blocked and `path` in front of what is installed."""
    blocked = BLOCKER.format(names=absent) + f"sys.path.insert(0, {str(path)!r})\n" + code
    command = [sys.executable, "-I", "-c", blocked]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def output(code: str, *, absent: tuple[str, ...] = ()) -> str:
    done = python(code, absent=absent)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def modules(folder: str) -> list[str]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    names = [".".join(("turnwise", *path.relative_to(ROOT).with_suffix("").parts)) for path in paths]
    return [name.removesuffix(".__init__") for name in names]


def test_importing_turnwise_loads_nothing_heavy() -> None:
    loaded = output("import turnwise, sys, json; print(json.dumps(sorted(sys.modules)))")
    assert sorted(set(HEAVY) & set(json.loads(loaded))) == []


def test_making_a_game_loads_no_torch() -> None:
    code = "import turnwise, sys; turnwise.make_game('KuhnPoker-LLM'); print({'pyspiel', 'torch'} & set(sys.modules))"
    assert output(code) == "{'pyspiel'}"


def test_gymnasium_makes_an_id_with_and_without_importing_turnwise() -> None:
    code = "import gymnasium; e = gymnasium.make('turnwise:KuhnPoker-LLM'); print(e.spec.id); assert e.reset(seed=0)[0]"
    assert output(code) == "KuhnPoker-LLM"
    code = (
        "import turnwise, gymnasium; e = gymnasium.make('KuhnPoker-LLM'); print(e.spec.id); assert e.reset(seed=0)[0]"
    )
    assert output(code) == "KuhnPoker-LLM"


@pytest.mark.parametrize("folder", ["agents", "algorithms", "kernels"])
def test_every_module_imports_on_a_bare_gpu_image(folder: str) -> None:
    """No Gymnasium, PettingZoo, OpenSpiel, Hydra, Arrow or plots: the agents and the trainer import all the same."""
    code = "import importlib, turnwise\n" + "".join(
        f"try: importlib.import_module({name!r})\nexcept BaseException as error: print({name!r}, repr(error))\n"
        for name in modules(folder)
    )
    assert output(code, absent=ABSENT) == ""


@pytest.mark.parametrize("package", ["gymnasium", "pettingzoo", "pyspiel"])
def test_turnwise_imports_without(package: str) -> None:
    assert output("import turnwise; print(turnwise.__version__)", absent=(package,)) != ""


def test_an_openspiel_id_says_what_to_install() -> None:
    done = python("import turnwise; turnwise.make_game('KuhnPoker-LLM')", absent=("pyspiel", "open_spiel"))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "MissingDependency" in last
    assert "pip install" in last
    assert "open-spiel" in last


def test_the_views_say_what_to_install() -> None:
    done = python("import turnwise; turnwise.aec_env('KuhnPoker-LLM')", absent=("pettingzoo",))
    assert "pip install pettingzoo" in done.stderr.strip().splitlines()[-1]


def test_parquet_says_what_to_install() -> None:
    code = "from turnwise.parquet import write_parquet; write_parquet('/nowhere/e', [])"
    done = python(code, absent=("pyarrow",))
    assert done.stderr.strip().splitlines()[-1] == (
        'ModuleNotFoundError: Parquet files need pyarrow, and pyarrow is not installed: pip install "turnwise[train]"'
    )


@pytest.mark.parametrize("absent", ["torch", "typer", "hydra"])
def test_the_command_without_the_train_extra_exits_2_and_says_what_to_install(absent: str) -> None:
    code = "import sys; sys.argv = ['turnwise', 'train']; from turnwise.__main__ import main; main()"
    done = python(code, absent=(absent,))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"turnwise: {absent} not found; the commands need the train extra:",
        '    pip install "turnwise[train]"',
    ]


def test_links_checked_out_as_text_files_give_one_clear_message(tmp_path: Path) -> None:
    """What git makes of symbolic links where it may not create them, as on Windows."""
    copy = tmp_path / "turnwise"
    copy.mkdir()
    for entry in (ROOT / "src/turnwise").iterdir():
        if entry.is_symlink():
            (copy / entry.name).write_text(str(entry.readlink()))
        elif entry.is_file():
            shutil.copy(entry, copy / entry.name)
    done = python("import turnwise", path=tmp_path)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert "symbolic links" in last
    assert "core.symlinks=true" in last
