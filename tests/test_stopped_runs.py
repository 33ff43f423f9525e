"""A run that SIGTERM or Ctrl-C stops at any moment saves its last step, and goes on as if it had been left alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.checkpoint import steps_saved
from turnwise.algorithms.ledger import check_ledger
from turnwise.algorithms.reporting.runlog import read_metrics

STOPPER = r"""
import importlib, json, os, signal, sys, threading, time
from pathlib import Path
import hydra, pyspiel, tensorboard.summary.writer.event_file_writer
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast, Qwen3ForCausalLM
from turnwise.algorithms import run as running, sft, summary, trainer
from turnwise.algorithms.algorithm import Algorithm
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.matchmaker import Matchmaker
from turnwise.algorithms.player import LocalPlayer
from turnwise.cli import app

def stop(signum=signal.SIGTERM, times=1):
    Path(os.environ["STOPPED_AT"]).write_text(str(time.time()))
    for _ in range(times):
        os.kill(os.getpid(), signum)

def around(module, name, call, *, after=False, **how):
    "Send a signal before or after the so many-th call of module.name."
    def arm():
        inner, calls = getattr(module, name), [0]
        def replaced(*args, **kwargs):
            calls[0] += 1
            if calls[0] == call and not after:
                stop(**how)
            found = inner(*args, **kwargs)
            if calls[0] == call and after:
                stop(**how)
            return found
        setattr(module, name, replaced)
    return arm

def after_s(seconds):
    return lambda: threading.Timer(seconds, stop).start()

def record_of(step):
    def arm():
        inner = running.Run._write
        def replaced(run, record, observe):
            if record["step"] == step:
                stop()
            inner(run, record, observe)
        running.Run._write = replaced
    return arm

MOMENTS = {
    "warm-start": around(sft, "_gradients", 10),
    "rollout": around(LocalPlayer, "play", 6),
    "credit": around(Algorithm, "judge", 6, after=True),
    "gradient": around(Learner, "_step", 6),
    "first-change-of-a-weight": around(Learner, "_step", 6, after=True),
    "record": record_of(6),
    "evaluation": around(running.Run, "evaluate", 3),
    "checkpoint": around(running, "save_checkpoint", 3),
    "last-games": around(summary, "self_play", 1),
    "ctrl-c": around(Matchmaker, "after_step", 6, signum=signal.SIGINT),
    "again-and-again": around(LocalPlayer, "play", 6, after=True, times=5),
    "somewhen-1": after_s(1.0), "somewhen-2": after_s(2.0),
}

def stopped(name):
    run = root / name
    os.environ["STOPPED_AT"] = str(root / f"{name}.time")
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(os.open(root / f"{name}.err", os.O_WRONLY | os.O_CREAT), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        MOMENTS[name]()
        app(["train", *words, f"run_dir={run}"])
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    took = time.time() - float((root / f"{name}.time").read_text()) if code else 0.0
    return code, took

root, words = Path(sys.argv[1]), sys.argv[2:]
print(json.dumps({name: stopped(name) for name in MOMENTS}))
"""
MOMENTS: dict[str, int | None] = {
    "warm-start": None,
    "rollout": 5,
    "credit": 5,
    "gradient": 5,
    "first-change-of-a-weight": 6,
    "record": 6,
    "evaluation": 8,
    "checkpoint": 8,
    "last-games": 12,
    "ctrl-c": 6,
    "again-and-again": 5,
}
"""When the signal comes, and the newest step that is saved then."""
TIMED = ("somewhen-1", "somewhen-2")
SIGTERM, CTRL_C, KILLED_EARLY = 143, 130, -15
"""Exit codes; the last one before there is anything to save."""
PATIENCE_S = 10.0
"""What is promised; a test machine that is busy gets more before the run is ended in the middle."""


@pytest.fixture(scope="module")
def stopped_runs(tmp_path_factory: pytest.TempPathFactory, small_run: tuple[str, ...]) -> tuple[Path, dict[str, Any]]:
    """A folder of runs, each stopped at its moment, in processes of their own; name -> (exit code, seconds)."""
    root = tmp_path_factory.mktemp("stopped")
    words = [*small_run, "ledger=true", f"stop_within_s={6 * PATIENCE_S}"]
    done = subprocess.run(
        [sys.executable, "-c", STOPPER, str(root), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return root, json.loads(done.stdout)


@pytest.fixture(scope="module")
def undisturbed(command: Callable[..., Any], small_run: tuple[str, ...], tmp_path_factory: Any) -> Path:
    """A run with the same settings that nobody stopped."""
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    done = command("train", *small_run, "ledger=true", f"stop_within_s={6 * PATIENCE_S}", f"run_dir={run}")
    assert done.exit_code == 0, done.output
    return Path(run)


@pytest.mark.parametrize("moment", [*MOMENTS, *TIMED])
def test_a_stopped_run_saves_its_last_step_and_ends_as_one_left_alone(
    moment: str,
    stopped_runs: tuple[Path, dict[str, Any]],
    undisturbed: Path,
    tmp_path: Path,
    command: Callable[..., Any],
    fingerprint: Callable[[Path], dict[str, Any]],
) -> None:
    root, found = stopped_runs
    code, seconds = found[moment]
    told = [line for line in (root / f"{moment}.err").read_text().splitlines() if line.startswith("turnwise: ")]
    if moment in MOMENTS:
        assert code == (CTRL_C if moment == "ctrl-c" else SIGTERM)
        assert steps_saved(root / moment)[-1:] == ([] if MOMENTS[moment] is None else [MOMENTS[moment]])
        require_told(told, MOMENTS[moment], root / moment)
    assert code in (SIGTERM, CTRL_C, KILLED_EARLY, 0)
    assert seconds < 6 * PATIENCE_S
    run = tmp_path / "run"
    if (root / moment / "config.yaml").exists():
        shutil.copytree(root / moment, run)
    else:
        assert code == KILLED_EARLY
        return
    done = command("train", "--resume", run)
    assert done.exit_code == 0, done.output
    assert fingerprint(run) == fingerprint(undisturbed)
    assert (run / "ledger.jsonl").read_bytes() == (undisturbed / "ledger.jsonl").read_bytes()
    assert check_ledger(run, games_per_step=16) == {"steps": 12, "planned": 192, "trained": 192, "dropped": 0}
    assert not list(run.rglob("*.tmp"))


HANGING = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from turnwise.envs.registry import GAMES
from turnwise.envs.spec import GameSpec
GAMES["Lab-LLM"] = GameSpec(id="Lab-LLM", entry_point="worker_games:Lab", slow=True)
from turnwise.__main__ import main
main()
"""
HANGS_S = 60.0


def test_a_game_that_hangs_in_a_worker_does_not_hold_the_end_up(small_run: tuple[str, ...], tmp_path: Path) -> None:
    """Of ten games that are played at random some do, for a minute each; their deadline is later still."""
    games = Path(__file__).parent / "envs/workers"
    hanging = ("env=by_id", "env.id=Lab-LLM", "+env.kwargs={deadline_s:600}", "evaluation.games=2")
    words = ("train", *small_run, *hanging, f"run_dir={tmp_path / 'run'}")
    command = [sys.executable, "-u", "-c", HANGING, str(games), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        while "scripted games" not in (line := run.stdout.readline()):
            assert line, run.communicate(timeout=HANGS_S)[1]
        time.sleep(2.0)  # until it waits for them
        before = time.monotonic()
        run.terminate()
        _, told = run.communicate(timeout=2 * HANGS_S)
    assert run.returncode == SIGTERM
    assert "turnwise: stopped (a run goes on with turnwise train --resume RUN)" in told.splitlines()
    assert time.monotonic() - before < HANGS_S - 2.0


def require_told(told: list[str], step: int | None, run: Path) -> None:
    (line,) = told
    saved = f"turnwise: stopped after step {step}, which is saved; go on with turnwise train --resume {run}"
    assert line == saved if step is not None else line.startswith("turnwise: stopped")


def test_a_run_that_is_stopped_while_it_evaluates_writes_that_step_down_when_it_goes_on(
    stopped_runs: tuple[Path, dict[str, Any]],
) -> None:
    root, _ = stopped_runs
    assert [record["step"] for record in read_metrics(root / "evaluation")] == list(range(8))
    assert [record["step"] for record in read_metrics(root / "record")] == list(range(7))
