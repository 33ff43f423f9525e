"""README.md and docs/ keep their word: every block runs as printed, every link leads somewhere.

The blocks of a page run in order, in one folder. A `python` block runs in an interpreter of its own; with a first line
`# NAME.py` it is saved under that name instead, for a later block to import or to start; a `yaml` block has a comment
`<!-- file: PATH -->` above it. A `bash` block runs line by line: commands of turnwise in this process, python in one of
its own. What a page installs with `pip install -e ./FOLDER` goes into a folder of the page's, which later lines see.

A block below a comment `<!-- not run: REASON -->` cannot run here as it is printed. Each of its lines is tried by the
rule of its first word (`RULES`): a training that the page uses later with sizes that are made small by settings
appended, anything else by whether the program knows these words. A line without a rule fails. docs/contributing.md
says how many they are.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))
from generators.blocks import Block, blocks_of, shown_pages, table  # noqa: E402  # what docs/generate.py uses

PAGES = [path.relative_to(ROOT).as_posix() for path in shown_pages()]
TRIED_ELSEWHERE = {"docs/api.md": "tests/api/test_docs.py"}
"""Pages that need a server to talk to, and the tests that have one."""
LONG = {"docs/contributing_an_algorithm.md", "docs/contributing_an_environment.md", "docs/tutorial.md"}
"""Pages whose commands take a minute or more in all: `make test-slow`."""
LINKED = [*PAGES, "kernels/README.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
NAMED = re.compile(r"# ([\w./-]+\.(?:py|yaml))\n")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@dataclass(frozen=True)
class Desk:
    """Where a page is tried out."""

    folder: Path
    small: tuple[str, ...]
    """Settings that make a training run a matter of seconds."""
    command: Callable[..., Any]
    """The command line, in this process."""
    page: str = ""
    """The whole text: a run that is used later is trained."""

    @property
    def site(self) -> Path:
        """What the page has installed."""
        return self.folder / "site-packages"

    def start(self, *words: str, cwd: Path | None = None) -> str:
        """Standard output of a command, which has to succeed."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE") and key != "VENV"}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        env = kept | {"PATH": path, "OMP_NUM_THREADS": "1", "PYTHONPATH": f".{os.pathsep}{self.site}"}
        folder = cwd or self.folder
        done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def run_python(desk: Desk, code: str) -> None:
    named = NAMED.match(code)
    path = desk.folder / (named.group(1) if named else "block.py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    if not named:
        desk.start(sys.executable, "block.py")


def run_bash(desk: Desk, block: Block) -> None:
    rules = AS_PRINTED if block.reason is None else RULES
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if block.reason is None and words[:1] == ["printf"]:
            desk.start("bash", "-c", line)
        elif words:
            assert words[0] in rules, (
                f"no rule says how to try out {line!r}; `<!-- not run: REASON -->` above its block?"
            )
            rules[words[0]](desk, words)


def turnwise_as_printed(desk: Desk, words: Sequence[str]) -> None:
    """In this process; in one of its own where it has to see a package of the page's."""
    if desk.site.exists():
        desk.start(sys.executable, "-m", "turnwise", *words[1:])
        return
    result = desk.command(*words[1:])
    assert result.exit_code == 0, f"{shlex.join(words)}\n{result.output}"


def python_as_printed(desk: Desk, words: Sequence[str]) -> None:
    desk.start(sys.executable, *words[1:])


def pip_as_printed(desk: Desk, words: Sequence[str]) -> None:
    """A package of the page's, without the network, beside the environment that runs these tests."""
    assert words[:3] == ["pip", "install", "-e"] and words[3].startswith("./"), "above: <!-- not run: it installs -->"
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(desk.site))
    desk.start(sys.executable, "-m", "pip", "install", *options, words[3])


AS_PRINTED: dict[str, Callable[[Desk, Sequence[str]], None]] = {
    "turnwise": turnwise_as_printed,
    "python": python_as_printed,
    "pip": pip_as_printed,
}


def turnwise(desk: Desk, words: Sequence[str]) -> None:
    """A training made small; of other commands whether they know the words."""
    if words[1] in ("train", "sft", "eval") and "suite=" not in " ".join(words):
        turnwise_as_printed(desk, [words[0], *smaller(desk, words[1:])])
    else:
        read(words[1:])


def read(words: Sequence[str]) -> None:
    """Raises UsageError unless the command line knows these words; nothing is done."""
    from typer.main import get_command

    from turnwise.cli import app

    command: Any = get_command(app)
    context, rest = None, list(words)
    while hasattr(command, "commands") or hasattr(command, "list_commands"):
        context = command.make_context("turnwise", rest, parent=context, resilient_parsing=True)
        command, rest = command.get_command(context, rest[0]), rest[1:]
    assert command is not None, f"there is no command turnwise {shlex.join(words)}"
    command.make_context(words[0], rest, parent=context)


def smaller(desk: Desk, words: Sequence[str]) -> list[str]:
    """The same command, quick: a training that the page uses later with small sizes, any other one planned only."""
    if words[0] == "eval":
        return [*words, "--games", "20"]
    made = [word.removeprefix("run_dir=") for word in words if word.startswith("run_dir=")]
    if words[0] == "train" and not any(desk.page.count(folder) > 1 for folder in made):
        return [*words, "--dry-run"]
    return [*words, *desk.small, "steps=4", "evaluation.games=4", "evaluation.final_games=4"]


def python(desk: Desk, words: Sequence[str]) -> None:
    """Whether there are such files, and they know the options."""
    if words[1] == "-m":
        desk.start(sys.executable, *words[1:3], "--help")
        return
    assert (ROOT / words[1]).exists(), words[1]
    known = "".join(path.read_text() for path in ROOT.glob("benchmarks/*.py"))
    assert [word for word in words if word.startswith("--") and f'"{word}"' not in known] == []


def torchrun(desk: Desk, words: Sequence[str]) -> None:
    """The settings of the run that the ranks would train."""
    assert words[1:5] == ["--nproc-per-node", words[2], "-m", "turnwise"]
    turnwise(desk, words[4:])


def ray(desk: Desk, words: Sequence[str]) -> None:
    """Whether Ray knows the options."""
    known = desk.start("ray", words[1], "--help")
    assert [word for word in words[2:] if word.partition("=")[0] not in known] == []


def gpu_script(desk: Desk, words: Sequence[str]) -> None:
    """Whether the script knows the options."""
    path = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run([words[0], "--help"], cwd=ROOT, env=path, capture_output=True, text=True, timeout=300)
    assert [word for word in words if word.startswith("--") and word not in done.stdout] == []


def make(desk: Desk, words: Sequence[str]) -> None:
    """The commands that make would give; settings for the training are looked at too."""
    desk.start("make", "--dry-run", *words[1:], cwd=ROOT)
    for word in words[1:]:
        if word.startswith("ARGS=") and "train" in words:
            turnwise(desk, ["turnwise", "train", *shlex.split(word.removeprefix("ARGS=")), "--dry-run"])


def pip(desk: Desk, words: Sequence[str]) -> None:
    """`.` or `.[EXTRA]` of this project, or one of its requirements."""
    extras: dict[str, list[str]] = PROJECT["optional-dependencies"]
    requirements = {line for lines in [PROJECT["dependencies"], *extras.values()] for line in lines}
    known = {".", *requirements, *(f".[{name}]" for name in extras)}
    wanted = [word for word in words[2:] if not word.startswith(("--", "https://"))]
    assert words[1] == "install" and wanted and set(wanted) <= known


def sudo(desk: Desk, words: Sequence[str]) -> None:
    """The line that the Makefile's own messages give, and the tools beside Python."""
    assert words == ["sudo", "apt", "install", "git", "make", "python3", "python3-venv"]
    assert "sudo apt install python3 python3-venv" in (ROOT / ".ci/venv").read_text()


RULES: dict[str, Callable[[Desk, Sequence[str]], None]] = {
    "turnwise": turnwise,
    "python": python,
    ".venv-vllm/bin/python": python,
    "benchmarks/gpu/run.sh": gpu_script,
    "torchrun": torchrun,
    "ray": ray,
    "make": make,
    "pip": pip,
    "sudo": sudo,
}


def blocks(page: str) -> list[Block]:
    """Every fenced block."""
    return blocks_of((ROOT / page).read_text())


TRIED = [
    pytest.param(page, marks=pytest.mark.slow) if page in LONG else page
    for page in PAGES
    if page not in TRIED_ELSEWHERE and blocks(page)
]


@pytest.mark.parametrize("page", TRIED)
def test_blocks_run_as_printed(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Any], small_run: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # a model of the hub is only looked at
    desk = Desk(tmp_path, small_run, command, (ROOT / page).read_text())
    for block in blocks(page):
        assert block.language in ("python", "bash", "yaml"), (
            f"a block is python, bash or yaml, or indented if it is none of them: got {block.language!r}"
        )
        if block.language == "yaml":
            assert block.file, "a yaml block has a comment <!-- file: PATH --> above it"
            (desk.folder / block.file).write_text(block.text)
        elif block.language == "bash":
            run_bash(desk, block)
        elif block.reason is None:
            run_python(desk, block.text)
        else:
            compile(block.text, page, "exec")


def test_a_reason_stands_right_above_its_block() -> None:
    for page in PAGES:
        reasons = re.findall(r"^<!-- not run: (.*) -->$", FENCE.sub("", (ROOT / page).read_text()), re.MULTILINE)
        assert reasons == [block.reason for block in blocks(page) if block.reason], page


def test_the_share_of_blocks_that_run_is_stated() -> None:
    assert f"<!-- blocks: table -->\n\n{table()}\n<!-- end -->" in (ROOT / "docs/contributing.md").read_text(), (
        "write it with: python docs/generate.py --only blocks"
    )


def anchors(page: Path) -> set[str]:
    """The names of a page's headings in links, as GitHub makes them."""
    headings = HEADING.findall(FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_a_saved_block_is_used(page: str) -> None:
    texts = [block.text for block in blocks(page)]
    for index, text in enumerate(texts):
        if named := NAMED.match(text):
            stem, folder = Path(named.group(1)).stem, named.group(1).partition("/")[0]
            used = stem if folder == named.group(1) else folder
            assert any(used in later for later in texts[index + 1 :]), f"{page} never uses {named.group(1)}"


@pytest.mark.parametrize("page", LINKED)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target in LINK.findall(FENCE.sub("", path.read_text())):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.exists(), f"{page} links to {target}, which is not there"
        assert found.is_relative_to(ROOT), f"{page} links to {target}, outside of the repository"
        if anchor:
            assert anchor in anchors(found), f"{page} links to {target}: no such heading"


NAMES_A_FILE = re.compile(r"`((?:envs|agents|algorithms|configs|tests|benchmarks|src|docs)/[\w./]+\.\w+)`")


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page: str) -> None:
    names = NAMES_A_FILE.findall((ROOT / page).read_text())
    assert [name for name in names if "NAME" not in name and not (ROOT / name).exists()] == []


def test_the_table_of_environments_is_complete() -> None:
    from turnwise.envs.registry import GAMES

    page = (ROOT / "docs/environments.md").read_text()
    assert [name for name in GAMES if f"| `{name}` |" not in page] == []


def test_the_recipes_are_all_described() -> None:
    page = (ROOT / "docs/algorithms.md").read_text()
    recipes = [path.stem for path in (ROOT / "configs/algorithm").glob("*.yaml")]
    assert [name for name in recipes if f"`algorithm={name}`" not in page] == []


def test_a_line_without_a_rule_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no rule"):
        run_bash(Desk(tmp_path, (), print), Block("bash", "curl https://example.org | sh"))


def test_a_block_that_fails_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run_python(Desk(tmp_path, (), print), "1 / 0\n")
