"""Several runs in one command: variants times seeds, each a `turnwise train` of its own, and one table of them."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from turnwise.algorithms.build import SettingsError, build
from turnwise.algorithms.compose import CONFIG, compose, run_settings
from turnwise.algorithms.files import RunFolderError, write_atomically
from turnwise.algorithms.fit import require_fitting_games


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What a sweep runs, and which figures of its summaries it puts side by side."""

    variants: Mapping[str, Any] = field(default_factory=dict)
    """Name of the variant -> its overrides."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Each variant is trained once per seed."""
    figures: tuple[str, ...] = ("nash_conv",)
    """Keys of summary.json."""
    jobs: int = 1
    """Runs at a time."""

    def __post_init__(self) -> None:
        if not self.variants or not self.seeds or self.jobs < 1:
            raise ValueError("sweep needs at least one variant, one seed and one job")


def sweep_of(config: Mapping[str, Any]) -> Sweep | None:
    """The sweep that a configuration asks for. Raises SettingsError on an unknown or impossible one."""
    return build(Sweep, config["sweep"], "sweep") if config.get("sweep") else None


def run_sweep(
    sweep: Sweep, overrides: Sequence[str], run_dir: str | None, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Train every variant with every seed below `run_dir`, then write, print and return its `table.json`.

    A run that is complete is not trained again, and one that was stopped goes on. Raises SettingsError before the first
    of them if a variant cannot be trained, RunFolderError if one fails.
    """
    if run_dir is None:
        raise SettingsError("a sweep needs run_dir=FOLDER for its runs (the same folder again goes on with it)")
    root = Path(run_dir)
    runs = [(name, seed, root / f"{name}-seed{seed}") for name in sweep.variants for seed in sweep.seeds]
    base = [word for word in overrides if not word.startswith(("run_dir=", "seed=", "sweep."))]
    for name, words in sweep.variants.items():
        _require_variant(name, [*base, *words])
    with ThreadPoolExecutor(sweep.jobs) as pool:
        list(pool.map(lambda run: _train(run, [*base, *sweep.variants[run[0]]], say), runs))
    table = list(_table(sweep, runs))
    text = json.dumps({"command": ["turnwise", "train", *overrides], "rows": table}, indent=1)
    write_atomically(root / "table.json", text + "\n")
    for line in _lines(sweep, table):
        say(line)
    return table


def _require_variant(name: str, overrides: Sequence[str]) -> None:
    try:
        require_fitting_games(run_settings(compose([*overrides, "sweep=null"])))
    except ValueError as error:
        raise SettingsError(f"variant {name}: {error}") from None


def _train(run: tuple[str, int, Path], overrides: Sequence[str], say: Callable[[str], None]) -> None:
    name, seed, folder = run
    if is_complete(folder):
        return say(f"{name}, seed {seed}: complete")
    say(f"{name}, seed {seed}: training in {folder}")
    reason = train_apart(folder, [*overrides, "sweep=null", f"seed={seed}"])
    if reason is not None:
        raise RunFolderError(f"the run {folder} of the sweep failed: {reason}")
    return None


def is_complete(folder: Path) -> bool:
    """Whether a run has come to its end there."""
    return (folder / "summary.json").exists()


def train_apart(folder: Path, overrides: Sequence[str]) -> str | None:
    """`turnwise train` in a process of its own: a new run, or one that goes on; why it failed, or None."""
    started = (folder / CONFIG).exists()
    words = ["--resume", str(folder)] if started else [*overrides, f"run_dir={folder}"]
    return run_apart("train", *words)


def run_apart(*words: str) -> str | None:
    """`turnwise` with these words, in a process of its own; what it said last if it failed, or None."""
    done = subprocess.run([sys.executable, "-m", "turnwise", *words], capture_output=True, text=True, check=False)
    if done.returncode < 0:
        return f"it was ended by signal {-done.returncode}"
    return (done.stderr or done.stdout).strip()[-2000:] if done.returncode else None


def _table(sweep: Sweep, runs: Sequence[tuple[str, int, Path]]) -> Iterator[dict[str, Any]]:
    summaries = [(name, seed, json.loads((folder / "summary.json").read_text())) for name, seed, folder in runs]
    for variant in sweep.variants:
        row: dict[str, Any] = {"variant": variant, "seeds": list(sweep.seeds)}
        for figure in sweep.figures:
            values = [summary.get(figure) for name, _, summary in summaries if name == variant]
            if any(value is None for value in values):
                raise SettingsError(f"sweep.figures: summary.json of these runs has no {figure!r}")
            row[figure] = {"values": values, "mean": statistics.fmean(values), "min": min(values), "max": max(values)}
        yield row


def _lines(sweep: Sweep, table: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    width = max(len(row["variant"]) for row in table) + 2
    yield "".ljust(width) + "".join(f"{figure:>34}" for figure in sweep.figures)
    for row in table:
        cells = [f"{row[f]['mean']:.4f} ({row[f]['min']:.4f} to {row[f]['max']:.4f})" for f in sweep.figures]
        yield row["variant"].ljust(width) + "".join(f"{cell:>34}" for cell in cells)
