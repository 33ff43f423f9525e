"""Which runs a table takes, where they stand, and with which settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from turnwise.algorithms.bench.definition import WARM, Bench, Task
from turnwise.algorithms.files import RunFolderError, write_atomically

PLAN = "plan.json"
CHEAP = ("tensorboard=false", "checkpoints_kept=1")


@dataclass(frozen=True, slots=True)
class Job:
    """One run of the table."""

    task: str
    method: str
    seed: int
    words: tuple[str, ...]
    """The overrides of `turnwise train`."""

    @property
    def name(self) -> str:
        """Its folder below that of the table."""
        return f"{self.task}/{self.method}-seed{self.seed}"


def bases(bench: Bench, out: Path) -> dict[Path, tuple[str, ...]]:
    """Model folder -> the overrides of the warm start that makes it, which follows from seed 0."""
    return {
        base_folder(out, name): (*bench.words, *task.words, *task.base, "seed=0")
        for name, task in bench.tasks.items()
        if task.base
    }


def base_folder(out: Path, task: str) -> Path:
    """Where a task's warm start stands."""
    return out / task / WARM


def jobs(bench: Bench, out: Path) -> list[Job]:
    """Every run, the first seed of all methods first, so that a table that is stopped has a bit of everything."""
    return [job for seed in bench.seeds for name, task in bench.tasks.items() for job in _of(bench, out, name, seed)]


def _of(bench: Bench, out: Path, name: str, seed: int) -> Iterator[Job]:
    task: Task = bench.tasks[name]
    start = (f"model.path={base_folder(out, name)}", "model.sft.steps=0") if task.base else ()
    for method, words in task.methods.items():
        yield Job(name, method, seed, (*bench.words, *task.words, *start, *CHEAP, *words, f"seed={seed}"))


def require_same(out: Path, runs: list[Job], warm: Mapping[Path, tuple[str, ...]]) -> None:
    """Note the settings of these runs in `out`. Raises RunFolderError where it holds one of them with other settings.

    Runs of other tasks that were noted before stay.
    """
    path = out / PLAN
    known: dict[str, list[str]] = json.loads(path.read_text()) if path.exists() else {}
    wanted = {job.name: list(job.words) for job in runs}
    wanted |= {str(folder.relative_to(out)): list(words) for folder, words in warm.items()}
    other = sorted(name for name, words in wanted.items() if known.get(name, words) != words)
    if other:
        raise RunFolderError(
            f"{out} holds {len(other)} runs with other settings, {other[0]} for one; "
            "choose another folder with --out, or remove it"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(known | wanted, indent=1) + "\n")
