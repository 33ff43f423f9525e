"""Processor time until the default run's policy is good: of this checkout beside another one, one run after the other.

    git worktree add /tmp/4f57b7e 4f57b7e
    python benchmarks/time_to_quality.py --other /tmp/4f57b7e --json benchmarks/results/time_to_quality.json

Each run is a process of its own with one thread: `turnwise train` with its defaults, until the first evaluation at or
under `--bar`. Evaluations come every `--every` steps on both sides and count; so do the making of the model and its
warm start. With `--full` the runs of this checkout go on to their end, to show that what they end with is as good.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import print_table, save_result

HERE = Path(__file__).resolve().parents[1]
OURS = "this checkout"
COLUMNS = ("checkout", "seed", "reached", "step", "games", "cpu_s", "setup_cpu_s", "nash_conv", "final")


class Reached(Exception):
    """The bar was met: the run may end."""


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, help="the checkout to compare with")
    parser.add_argument("--bar", type=float, default=0.15, help="NashConv")
    parser.add_argument("--every", type=int, default=25, help="steps between evaluations")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="let the runs of this checkout go on to their end")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings of the runs of this checkout")
    given = parser.parse_args(arguments)
    if given.one:
        print(json.dumps(one(given.bar, given.full, given.overrides)))
        return
    rows = []
    for seed in range(given.seeds):
        for checkout in filter(None, (given.other, HERE)):
            rows.append(run(checkout, seed, given))
            print_table(rows[-1:], COLUMNS)
    names = dict.fromkeys(row["checkout"] for row in rows)
    medians = {name: statistics.median(row["cpu_s"] for row in rows if row["checkout"] == name) for name in names}
    share = medians[OURS] / medians[given.other.name] if given.other else None
    print(json.dumps({"median_cpu_s": medians, "share": share}))
    if given.json:
        notes = {"bar": given.bar, "every": given.every, "median_cpu_s": medians, "share": share}
        save_result(given.json, rows, packages=("torch", "transformers", "numpy"), **notes)


def run(checkout: Path, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """The row of one run, in a process of its own."""
    ours = checkout == HERE
    words = [*(given.overrides if ours else ()), f"seed={seed}", f"evaluation.every={given.every}", "tensorboard=false"]
    full = ["--full"] if ours and given.full else []
    found = subprocess.run(
        [sys.executable, __file__, "--one", *full, "--bar", str(given.bar), *words],
        env={**os.environ, "PYTHONPATH": f"{checkout / 'src'}", "OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return {"checkout": OURS if ours else checkout.name, "seed": seed, **json.loads(found.stdout.splitlines()[-1])}


def one(bar: float, full: bool, words: Sequence[str]) -> dict[str, Any]:
    """When this process has reached the bar."""
    sys.path.remove(str(Path(__file__).parent))  # of the other checkout's modules none is to be found here
    from turnwise.algorithms.compose import compose, run_settings
    from turnwise.algorithms.trainer import train

    settings = run_settings(compose(list(words)))
    found: dict[str, Any] = {"reached": False, "final": None, "curve": []}
    """curve: [step, processor seconds, NashConv of the running mean, and of the last weights] of every evaluation."""

    def observe(record: dict[str, Any]) -> None:
        measure = record.get("eval", {}).get("nash_conv")
        if measure is None:
            return
        found["final"] = measure
        found.setdefault("setup_cpu_s", time.process_time())
        last = record["eval"].get("nash_conv_last", measure)
        found["curve"].append([record["step"], round(time.process_time(), 2), round(measure, 4), round(last, 4)])
        if measure <= bar and not found["reached"]:
            found.update(reached=True, step=record["step"], games=record["games"], nash_conv=measure)
            found["cpu_s"] = time.process_time()
            if not full:
                raise Reached

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Reached):
        train(settings, Path(folder) / "run", observe=observe)
    found.setdefault("cpu_s", time.process_time())
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
