"""`turnwise bench learn`: train every method of the table, write what came out, and say which claims were seen."""

from __future__ import annotations

import datetime
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from turnwise.algorithms.bench.definition import Bench, read_bench
from turnwise.algorithms.bench.figures import claim_rows, method_rows, run_row
from turnwise.algorithms.bench.pictures import draw_tasks
from turnwise.algorithms.bench.plan import Job, bases, jobs, require_same
from turnwise.algorithms.bench.printing import lines
from turnwise.algorithms.bench.running import make_bases, train_all
from turnwise.algorithms.bench.verdicts import RULE
from turnwise.algorithms.build import SettingsError
from turnwise.algorithms.files import write_atomically
from turnwise.algorithms.reporting.provenance import commit, machine
from turnwise.algorithms.reporting.runlog import lock_run
from turnwise.algorithms.sweep import is_complete

Say = Callable[[str], None]


def table(definition: Path | None = None) -> Bench:
    """The table of a YAML file; None for the one that comes with turnwise. Raises SettingsError."""
    if definition is not None:
        return read_bench(definition.read_text())
    return read_bench((files("turnwise.configs") / "bench_learn.yaml").read_text())


def read_seeds(text: str) -> tuple[int, ...] | None:
    """`0,1,2` as numbers; None where nothing is given. Raises SettingsError."""
    words = [word.strip() for word in text.split(",")] if text else []
    if not all(word.isdigit() for word in words):
        raise SettingsError(f"seeds are whole numbers with commas between, 0,1,2: got {text!r}")
    return tuple(dict.fromkeys(int(word) for word in words)) or None


def places(
    out: Path | None, result: Path | None, pictures: Path | None, *, whole: bool, quick: bool
) -> tuple[Path, Path, Path]:
    """Where the runs, the result file and the pictures go that nobody named a place for.

    whole: the table as it comes, whose figures belong into the repository where that is the working directory.
    """
    runs = out or Path("runs") / ("bench_learn_quick" if quick else "bench_learn")
    kept, docs = Path("benchmarks/results"), Path("docs")
    home = whole and kept.is_dir() and docs.is_dir()
    return runs, result or (kept if home else runs) / "learn.json", pictures or (docs if home else runs)


def learn(
    bench: Bench, out: Path, result: Path, pictures: Path, *, at_once: int, quick: bool, say: Say
) -> dict[str, Any]:
    """Train what is missing of a table below `out`; write `result` and `pictures`/learn_TASK.png; print and return.

    at_once: runs at a time. quick: the figures are marked as those of the quick form.
    Raises RunFolderError where `out` is in use or holds runs with other settings; SettingsError on less than one job.
    """
    if at_once < 1:
        raise SettingsError(f"--jobs is at least 1: got {at_once}")
    runs, warm = jobs(bench, out), bases(bench, out)
    with lock_run(out):
        require_same(out, runs, warm)
        no_start = make_bases(warm, at_once, say)
        ready = [job for job in runs if not any(folder.parent.name == job.task for folder in no_start)]
        failed = {f"{folder.parent.name}/{folder.name}": reason for folder, reason in no_start.items()}
        failed |= train_all(ready, out, at_once, say)
    found = _result(bench, runs, out, failed, quick=quick)
    result.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(result, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    drawn = draw_tasks(bench, found["runs"], pictures)
    for line in lines(bench, found):
        say(line)
    say(f"written: {', '.join(str(path) for path in (result, *drawn))}")
    return found


def _result(bench: Bench, runs: Sequence[Job], out: Path, failed: Mapping[str, str], *, quick: bool) -> dict[str, Any]:
    rows = [run_row(job, out / job.name, bench.tasks[job.task].figure) for job in runs if is_complete(out / job.name)]
    return {
        "command": shlex.join(["turnwise", *sys.argv[1:]]),
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine(("torch", "transformers", "open-spiel")),
        "quick": quick,
        "seeds": list(bench.seeds),
        "rule": RULE,
        "claims": list(claim_rows(bench, rows)),
        "failures": [{"run": name, "reason": reason} for name, reason in failed.items()],
        "methods": list(method_rows(bench, rows)),
        "runs": rows,
    }
