"""A run that SIGKILL ended at any moment and that goes on ends with the numbers, to the last bit, of one left alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.checkpoint import steps_saved
from turnwise.algorithms.recording.folder import recorded
from turnwise.algorithms.reporting.runlog import read_metrics
from turnwise.parquet import read_parquet
from turnwise.records import Episode

Fingerprint = Callable[[Path], dict[str, Any]]

KILLER = r"""
import importlib, json, os, signal, sys, threading, time
from pathlib import Path
import hydra, pyspiel, tensorboard.summary.writer.event_file_writer
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast, Qwen3ForCausalLM
from turnwise.algorithms import checkpoint, run as running, sft, summary, trainer
from turnwise.algorithms.reporting import runlog
from turnwise.cli import app

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def around(module, name, *, before=None, after=None):
    "Replace module.name by itself with a death before or after the call that the condition picks."
    inner, calls = getattr(module, name), [0]
    def call(*args, **kwargs):
        calls[0] += 1
        if before and before(calls[0], *args):
            die()
        found = inner(*args, **kwargs)
        if after and after(calls[0], *args):
            die()
        return found
    setattr(module, name, call)

def halfway_through_a_line():
    def torn(handle, content, path):
        if b'"step":7,' in content:
            os.write(handle, content[: len(content) // 2])
            die()
        whole(handle, content, path)
    whole, runlog.append_whole = runlog.append_whole, torn

def manifest_of(step):
    return lambda call, path, *rest: path.name == "manifest.json" and f"step-{step:06d}" in str(path)

def log_of(step):
    return lambda call, log, record: record["step"] == step

def after_ms(ms):
    def arm():
        around(trainer, "lock_run", before=lambda *_: threading.Timer(ms / 1000, die).start())
    return arm

MOMENTS = {
    "left-alone": lambda: None,
    "warm-start": lambda: around(sft, "_gradients", before=lambda call, *_: call == 10),
    "before-step-0-is-saved": lambda: around(checkpoint, "write_atomically", after=manifest_of(0)),
    "between-checkpoints": lambda: around(running.RunLog, "write", after=log_of(6)),
    "halfway-through-a-line": halfway_through_a_line,
    "right-after-a-checkpoint": lambda: around(running, "save_checkpoint", after=lambda call, run, step, *_: step == 4),
    "halfway-through-a-checkpoint": lambda: around(checkpoint, "write_atomically", before=manifest_of(8)),
    "before-old-checkpoints-go": lambda: around(running, "prune", before=lambda call, *_: call == 4),
    "before-the-summary": lambda: around(
        summary, "write_atomically", before=lambda call, path, *_: path.name == "summary.json"
    ),
    "somewhen-1": after_ms(437), "somewhen-2": after_ms(911),
    "twice": lambda: around(running.RunLog, "write", after=log_of(5)),
}

def killed(moment, words):
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        moment()
        app(words)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

root, words = Path(sys.argv[1]), sys.argv[2:]
codes = {name: killed(moment, ["train", *words, f"run_dir={root / name}"]) for name, moment in MOMENTS.items()}
again = lambda: around(running.RunLog, "write", after=log_of(10))
codes["twice-again"] = killed(again, ["train", "--resume", str(root / "twice")])
print(json.dumps(codes))
"""
MOMENTS = {
    "warm-start": [],
    "before-step-0-is-saved": [],
    "between-checkpoints": [0, 4],
    "halfway-through-a-line": [0, 4],
    "right-after-a-checkpoint": [0, 4],
    "halfway-through-a-checkpoint": [0, 4],
    "before-old-checkpoints-go": None,
    "before-the-summary": None,
    "somewhen-1": None,
    "somewhen-2": None,
    "twice": None,
}
"""When SIGKILL comes, and the steps of the checkpoints that are there then, where the moment fixes them."""
SIGKILLED = -9


def kept(run: Path) -> dict[int, list[Episode]]:
    """Step -> the episodes that were written down, without the time that the replies took."""
    return {
        step: [replace(e, turns=tuple(replace(turn, seconds=None) for turn in e.turns)) for e in read_parquet(path)]
        for step, path in recorded(run / "episodes")
    }


@pytest.fixture(scope="module")
def killed_runs(tmp_path_factory: pytest.TempPathFactory, small_run: tuple[str, ...]) -> Path:
    """A folder of runs, each killed at its moment, in processes of their own."""
    root = tmp_path_factory.mktemp("killed")
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(root), *small_run], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout)
    assert codes.pop("left-alone") == 0, done.stderr
    assert {code for name, code in codes.items() if not name.startswith("somewhen")} == {SIGKILLED}, done.stderr
    assert {codes[name] for name in codes if name.startswith("somewhen")} <= {SIGKILLED, 0}
    return root


def test_two_processes_with_one_seed_end_alike(killed_runs: Path, finished_run: Path, fingerprint: Fingerprint) -> None:
    assert fingerprint(killed_runs / "left-alone") == fingerprint(finished_run)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_that_goes_on_ends_as_one_left_alone(
    moment: str,
    killed_runs: Path,
    finished_run: Path,
    tmp_path: Path,
    command: Callable[..., Any],
    fingerprint: Fingerprint,
) -> None:
    run = shutil.copytree(killed_runs / moment, tmp_path / "run")
    if MOMENTS[moment] is not None:
        assert steps_saved(run) == MOMENTS[moment]
    done = command("train", "--resume", run)
    assert done.exit_code == 0, done.output
    assert fingerprint(run) == fingerprint(finished_run)
    assert kept(run) == kept(finished_run)
    assert sorted(path.name for path in run.iterdir()) == sorted(path.name for path in finished_run.iterdir())
    assert not list(run.rglob("*.tmp"))


def test_another_seed_ends_otherwise(
    small_run: tuple[str, ...], finished_run: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    assert command("train", *small_run, "seed=1", f"run_dir={tmp_path / 'run'}").exit_code == 0
    mine, theirs = read_metrics(tmp_path / "run"), read_metrics(finished_run)
    assert len(mine) == len(theirs) == 13
    assert [record["eval"] for record in mine if "eval" in record] != [r["eval"] for r in theirs if "eval" in r]
    assert all(one["loss"] != other["loss"] for one, other in zip(mine[1:], theirs[1:], strict=True))
