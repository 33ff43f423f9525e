"""Options of the whole test suite."""

import importlib.util
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from click.testing import Result

# The same examples in every run, and no limit on wall time: shared machines are slow at times.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# Triton reads this when it is imported, which transformers does. Without a GPU its kernels are interpreted.
if shutil.which("nvidia-smi") is None:
    os.environ.setdefault("TRITON_INTERPRET", "1")


OF_PROCESSES = ("tests/ray/", "tests/cluster/", "tests/chaos/", "tests/distributed/", "tests/test_stopped_runs.py")
"""Where every test starts whole runs of several processes: `make test-processes` runs them."""


@pytest.hookimpl(tryfirst=True)  # before options leave tests out by their marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(config.rootpath).as_posix().startswith(OF_PROCESSES):
            item.add_marker("processes")


def pytest_addoption(parser: pytest.Parser) -> None:
    soak = parser.getgroup("soak", "long runs under faults")
    soak.addoption("--soak-minutes", type=float, default=30.0, help="how long each of them lasts (default: 30)")
    group = parser.getgroup("golden", "golden cases of the algorithms")
    group.addoption(
        "--golden",
        metavar="DIR",
        type=Path,
        default=Path(__file__).parent / "golden",
        help="folder of golden *.json files (default: tests/golden)",
    )
    group.addoption(
        "--golden-allow-missing",
        action="store_true",
        help="leave out golden files that no adapter reads, instead of failing on them",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if importlib.util.find_spec("vllm") is None:
        terminalreporter.write_line(
            "tests/vllm is left out: it needs vLLM, which has an environment of its own, make test-vllm"
        )


Command = Callable[..., "Result"]

SMALL_RUN = (
    *("steps=12", "games_per_step=16", "checkpoint_every=4"),
    *("evaluation.every=4", "evaluation.final_games=20"),
    *("model.sft.steps=20", "model.sft.games=100", "engine.device=cpu"),
)
"""A run of the default recipe that takes a second or two; it learns next to nothing."""


@pytest.fixture(scope="session")
def small_run() -> tuple[str, ...]:
    return SMALL_RUN


@pytest.fixture(scope="session")
def command() -> Command:
    """`command("train", "env=nim")` runs the command line in this process: exit_code, stdout, stderr."""
    from typer.testing import CliRunner

    from turnwise.__main__ import CHATTY
    from turnwise.cli import app

    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)

    def run(*words: Any) -> "Result":
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture(scope="session")
def refused(command: Command) -> Callable[..., str]:
    """The one line with which these words are refused, with exit code 2."""

    def run(*words: Any) -> str:
        result = command(*words)
        assert result.exit_code == 2, result.output
        line: str = result.stderr
        assert line.startswith("turnwise: ")
        assert line.count("\n") == 1
        return line.removeprefix("turnwise: ").strip()

    return run


@pytest.fixture(scope="module")
def toy_tools() -> Iterator[str]:
    """The id of a tool environment that a tiny model can learn, known as long as the module runs."""
    from turnwise.envs.registry import GAMES
    from turnwise.envs.spec import GameSpec

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        patch.setitem(GAMES, "ToyTools-LLM", GameSpec(id="ToyTools-LLM", entry_point="toy_tools:colours"))
        yield "ToyTools-LLM"


@pytest.fixture(scope="module")
def flaky() -> Iterator[str]:
    """The id of a game that fails on demand (`flaky_game.TROUBLE`), known as long as the module runs."""
    from turnwise.envs.registry import GAMES
    from turnwise.envs.spec import GameSpec

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        patch.setitem(GAMES, "Flaky-LLM", GameSpec(id="Flaky-LLM", entry_point="flaky_game:Flaky"))
        yield "Flaky-LLM"


@pytest.fixture(scope="session")
def finished_run(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a complete small run of Kuhn poker. To be read, not changed."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    result = command("train", *SMALL_RUN, f"run_dir={folder}")
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="session")
def fingerprint() -> Callable[[Path], dict[str, Any]]:
    """All that two runs of one seed share: metrics, summary, and every tensor of the newest checkpoint."""
    from turnwise.algorithms.reporting.fingerprint import fingerprint

    return fingerprint
