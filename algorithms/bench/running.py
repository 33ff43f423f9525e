"""Carries out the runs of a table, some at a time: what is complete stays, what was stopped goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from turnwise.algorithms.bench.plan import Job
from turnwise.algorithms.sweep import is_complete, run_apart, train_apart

Say = Callable[[str], None]


def make_bases(warm: Mapping[Path, tuple[str, ...]], at_once: int, say: Say) -> dict[Path, str]:
    """Make the models that runs start from, where they are not there yet; folder -> why it failed."""

    def make(folder: Path) -> str | None:
        if folder.exists():
            return None
        say(f"warm start of {folder.parent.name}")
        return run_apart("sft", "--out", str(folder), *warm[folder])

    with ThreadPoolExecutor(at_once) as pool:
        found = dict(zip(warm, pool.map(make, warm), strict=True))
    return {folder: reason for folder, reason in found.items() if reason is not None}


def train_all(runs: Sequence[Job], out: Path, at_once: int, say: Say) -> dict[str, str]:
    """Train every run that is not complete; name of the run -> why it failed. One failure does not stop the others."""
    left = [job for job in runs if not is_complete(out / job.name)]
    if len(left) < len(runs):
        say(f"{len(runs) - len(left)} of {len(runs)} runs are complete")

    def train(number: int, job: Job) -> str | None:
        say(f"run {number} of {len(left)}: {job.name}")
        reason = train_apart(out / job.name, job.words)
        if reason is not None:
            say(f"{job.name} failed: {reason}")
        return reason

    with ThreadPoolExecutor(at_once) as pool:
        reasons = list(pool.map(train, range(1, len(left) + 1), left))
    return {job.name: reason for job, reason in zip(left, reasons, strict=True) if reason is not None}
