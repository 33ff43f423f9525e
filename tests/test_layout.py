"""The plan of the house, read from the source without importing any of it. Violations come as file:line."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("agents", "algorithms", "configs", "envs", "kernels")
FACE_FOLDERS = ("boards", "commands", "interchange", "play", "scaffold", "view")
"""Packages of the public face, below src/turnwise."""
LINES_PER_FILE, LINES_PER_FUNCTION = 400, 50

# records <- envs <- agents <- algorithms <- the public face: a module imports its own rank and below. kernels stand
# apart: who trains or generates may call them, and they know nothing of turnwise but themselves.
RANKS = {
    "near": 0,
    "quick": 0,
    "records": 0,
    "parquet": 0,
    "configs": 0,
    "envs": 1,
    "agents": 2,
    "kernels": 2,
    "algorithms": 3,
}
FACE = 4
PURE = re.compile(
    r"turnwise\.algorithms\.(credit|losses|ratios|aggregate|regularize|checks|method|guards|corrections|shaping|rewards)(\.|$)"
)
PURE_MAY = {"torch", "numpy"}
ENVS_MAY_NOT = {"torch", "transformers", "vllm", "triton", "hydra", "omegaconf", "typer"}
LAZY = {
    *("triton", "vllm", "ray", "pyarrow", "tensorboard", "matplotlib", "textworld", "alfworld", "minigrid"),
    *("bm25s", "tantivy", "faiss", "sympy", "math_verify", "pydantic_monty", "mcp", "reasoning_gym", "textarena"),
    *("openai", "anthropic", "tenacity", "peft", "torchao", "psutil", "duckdb", "textual", "openskill", "uvicorn"),
    *("wandb", "mlflow", "trackio", "datasets", "lm_eval", "trl", "verifiers", "openenv", "inspect_ai"),
}
"""Heavy or optional: imported inside the function that needs them, never when a module loads."""
TRITON_FILE = re.compile(r"turnwise\.kernels\.\w+_triton\b")
"""Kernels are defined when a module loads: these import triton, and are themselves imported by who launches them."""
TEXTUAL_FILE = re.compile(r"turnwise\.play\.terminal\b")
"""So is a textual app, which is a class: `turnwise.play.terminal` imports textual and is imported by who opens it."""
AT_LOAD = {"triton": TRITON_FILE, "textual": TEXTUAL_FILE}


@dataclass(frozen=True)
class Import:
    target: str
    """Dotted name, `from a import b` counted as `a.b`."""
    line: int
    lazy: bool
    """Inside a function, or seen by type checkers only."""


def imports(tree: ast.Module, module: str, is_package: bool = False) -> Iterator[Import]:
    """Every import of a module, relative ones made absolute."""
    package = module.split(".") if is_package else module.split(".")[:-1]

    def walk(node: ast.AST, lazy: bool) -> Iterator[Import]:
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _for_typing(node)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, lazy) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                start = package[: len(package) - child.level + 1] if child.level else []
                base = ".".join([*start, *([child.module] if child.module else [])])
                yield from (Import(f"{base}.{alias.name}", child.lineno, lazy) for alias in child.names)
            else:
                yield from walk(child, lazy)

    yield from walk(tree, False)


def _for_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def broken_rules(found: Import, module: str) -> Iterator[str]:
    """What is wrong with one import of `module`."""
    parts = found.target.split(".")
    if parts[0] == "turnwise":
        yield from _against_the_stream(parts, module)
        if any(file.match(found.target) and not (found.lazy or file.match(module)) for file in AT_LOAD.values()):
            yield f"{found.target} is imported inside the function that uses it"
    elif parts[0] in FOLDERS:
        yield f"bare import of {parts[0]}: write turnwise.{parts[0]}"
    elif parts[0] not in sys.stdlib_module_names:
        if module.startswith("turnwise.envs") and parts[0] in ENVS_MAY_NOT:
            yield f"envs import no {parts[0]}"
        if module.startswith("turnwise.kernels") and parts[0] not in ("torch", "triton"):
            yield f"kernels import torch, and files *_triton.py triton: not {parts[0]}"
        if PURE.match(module) and parts[0] not in PURE_MAY:
            yield f"pure mathematics imports {', '.join(sorted(PURE_MAY))} and records: not {parts[0]}"
        if parts[0] in LAZY and not found.lazy and not (parts[0] in AT_LOAD and AT_LOAD[parts[0]].match(module)):
            yield f"{parts[0]} is imported inside the function that needs it, never when a module loads"


def _against_the_stream(parts: list[str], module: str) -> Iterator[str]:
    own, other = (name[1] if len(name) > 1 else "" for name in (module.split("."), parts))
    if other == "__version__":
        return
    if PURE.match(module) and other not in ("records", "near") and not PURE.match(".".join(parts)):
        yield f"pure mathematics imports records and its own kin: not {'.'.join(parts)}"
    elif own == "kernels" and other != "kernels":
        yield f"kernels import nothing of turnwise but themselves: not {'.'.join(parts)}"
    elif RANKS.get(other, FACE) > RANKS.get(own, FACE) or (own == "agents" and other == "algorithms"):
        yield f"{own} imports {other or 'the public face'}: records <- envs <- agents <- algorithms <- cli"


def package_files() -> list[tuple[Path, str]]:
    """(file, dotted module name) of the whole package."""
    source = ROOT / "src"
    places = [path for name in ("*.py", *FACE_FOLDERS) for path in (source / "turnwise").glob(name)]
    shown = [path for place in places for path in (place.rglob("*.py") if place.is_dir() else [place])]
    face = [(path, ".".join(path.relative_to(source).with_suffix("").parts)) for path in shown]
    inner = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    named = [(path, ".".join(("turnwise", *path.relative_to(ROOT).with_suffix("").parts))) for path in inner]
    return sorted((path, name.removesuffix(".__init__")) for path, name in face + named)


def other_files() -> list[Path]:
    """Tests, benchmarks and tools."""
    return sorted(path for folder in ("tests", "benchmarks", ".ci", "docs") for path in (ROOT / folder).rglob("*.py"))


def report(violations: list[str]) -> None:
    assert not violations, "\n" + "\n".join(violations)


def at(path: Path, line: int, text: str) -> str:
    return f"{path.relative_to(ROOT)}:{line}: {text}"


def test_imports_point_one_way() -> None:
    report(
        [
            at(path, found.line, text)
            for path, module in package_files()
            for found in imports(ast.parse(path.read_text()), module, path.stem == "__init__")
            for text in broken_rules(found, module)
        ]
    )


def test_nobody_imports_a_folder_by_its_bare_name() -> None:
    report(
        [
            at(path, found.line, f"write turnwise.{found.target}")
            for path in other_files()
            for found in imports(ast.parse(path.read_text()), path.stem)
            if found.target.split(".")[0] in FOLDERS
        ]
    )


def test_files_and_functions_are_short() -> None:
    report([text for path, _ in package_files() for text in too_long(path)])


def too_long(path: Path) -> Iterator[str]:
    source = path.read_text()
    lines = len(source.splitlines())
    if lines > LINES_PER_FILE:
        yield at(path, lines, f"{lines} lines, more than {LINES_PER_FILE}")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LINES_PER_FUNCTION:
                yield at(path, node.lineno, f"{node.name} has {length} lines, more than {LINES_PER_FUNCTION}")


def test_the_links_are_relative_and_right() -> None:
    for folder in FOLDERS:
        link = ROOT / "src/turnwise" / folder
        assert link.is_symlink(), f"{link} is no symbolic link: git config core.symlinks true, then check out again"
        assert link.readlink() == Path("../..") / folder, f"{link} points to {link.readlink()}"
        assert (ROOT / folder).is_dir(), f"{folder}/ is missing"


def test_agents_and_kernels_have_no_init_and_the_others_do() -> None:
    """`kernels/__init__.py` in the working directory would shadow the `kernels` package that transformers imports."""
    having = {folder for folder in FOLDERS if (ROOT / folder / "__init__.py").exists()}
    assert having == {"algorithms", "configs", "envs"}
    assert not (ROOT / "tests/__init__.py").exists()


def test_the_top_level_is_as_planned() -> None:
    folders = {*FOLDERS, "src", "tests", "benchmarks", "docs", ".ci"}
    files = {"pyproject.toml", "README.md", "Makefile", "LICENSE"}
    assert sorted(name for name in folders if not (ROOT / name).is_dir()) == []
    assert sorted(name for name in files if not (ROOT / name).is_file()) == []


# --- the rules themselves ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("turnwise.envs.x", "from turnwise.agents.rollout import collect"),
        ("turnwise.envs.x", "import turnwise.algorithms.losses"),
        ("turnwise.envs.x", "def f():\n    import torch"),
        ("turnwise.envs.x", "from turnwise.kernels import x"),
        ("turnwise.envs.x", "import envs.core"),
        ("turnwise.envs.x", "from ..agents import local"),
        (
            "turnwise.envs.x",
            "if TYPE_CHECKING:\n    from turnwise.agents import local",
        ),
        ("turnwise.agents.x", "from turnwise.algorithms import losses"),
        ("turnwise.agents.x", "from turnwise import make_game"),
        ("turnwise.algorithms.x", "from turnwise.cli import app"),
        ("turnwise.algorithms.x", "import matplotlib.pyplot"),
        ("turnwise.algorithms.losses", "from turnwise.agents import context"),
        ("turnwise.algorithms.losses", "from turnwise.algorithms import trainer"),
        ("turnwise.algorithms.losses", "import transformers"),
        ("turnwise.algorithms.credit.rae", "from ..trainer import train"),
        ("turnwise.kernels.x", "import numpy"),
        ("turnwise.kernels.x", "import triton"),
        ("turnwise.kernels.x", "from turnwise.kernels.x_triton import launch"),
        ("turnwise.algorithms.x_triton", "import triton"),
        ("turnwise.kernels.x", "from turnwise.records import Turn"),
        ("turnwise.records", "from turnwise.envs.core import TextGame"),
    ],
)
def test_a_violation_is_seen(module: str, source: str) -> None:
    assert [text for found in imports(ast.parse(source), module) for text in broken_rules(found, module)]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "turnwise.envs.x",
            "import numpy as np, json\nfrom turnwise.records import Turn\nfrom turnwise.envs.core import Step",
        ),
        ("turnwise.envs.x", "from .core import Step\nfrom turnwise import __version__"),
        ("turnwise.agents.x", "import torch\nfrom turnwise.envs import referee\nfrom turnwise.kernels import x"),
        ("turnwise.algorithms.x", "from turnwise.agents.rollout import collect\ndef f():\n    import matplotlib"),
        ("turnwise.algorithms.losses", "import torch, math\nfrom turnwise.records import Turn"),
        (
            "turnwise.algorithms.credit.rae",
            "from . import returns\nfrom turnwise.algorithms.credit.groups import centre",
        ),
        ("turnwise.kernels.x", "import torch\ndef f():\n    import triton\n    from turnwise.kernels.y import g"),
        ("turnwise.kernels.x", "def f():\n    from turnwise.kernels.x_triton import launch"),
        ("turnwise.kernels.x_triton", "import triton\nfrom turnwise.kernels.y_triton import part"),
        (
            "turnwise.cli",
            "import typer\nfrom turnwise.algorithms.trainer import train\nfrom turnwise.parquet import read_parquet",
        ),
    ],
)
def test_what_is_allowed_is_allowed(module: str, source: str) -> None:
    assert [text for found in imports(ast.parse(source), module) for text in broken_rules(found, module)] == []
