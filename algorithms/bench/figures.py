"""What the runs of a table came to: a row for each run, a row for each method, and the verdicts on its claims."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from turnwise.algorithms.bench.definition import Bench, Claim
from turnwise.algorithms.bench.plan import Job
from turnwise.algorithms.bench.verdicts import judge
from turnwise.algorithms.reporting.measures import dig, lower_is_better
from turnwise.algorithms.reporting.runlog import read_metrics

COUNTS = ("tokens", "answered", "turns", "games", "steps", "seconds")
"""Figures of a run beside what it is judged by; `answered` are tool calls where the game is one of tools."""
Row = Mapping[str, Any]


def run_row(job: Job, folder: Path, figure: str) -> dict[str, Any]:
    """A complete run: its curve, its end, and what it took.

    `curve` is a list of [tokens, answered, figure], one for every evaluation; `mean` the mean of the curve over its
    tokens, straight lines between its points; `final` comes from the larger evaluation at the end.
    """
    summary = json.loads((folder / "summary.json").read_text())
    points = [
        [record["tokens"], record["answered"], dig(record["eval"], figure)]
        for record in read_metrics(folder)
        if isinstance(record.get("eval"), Mapping)
    ]
    return {
        "task": job.task,
        "method": job.method,
        "seed": job.seed,
        "figure": figure,
        "start": points[0][2],
        "final": summary[figure],
        "mean": curve_mean([point[0] for point in points], [point[2] for point in points]),
        **{name: summary[name] for name in COUNTS},
        "curve": points,
        "words": list(job.words),
    }


def curve_mean(x: Sequence[float], y: Sequence[float]) -> float:
    """Mean height of the straight lines through these points; that of the points where they have no width."""
    width = x[-1] - x[0]
    if width == 0:
        return statistics.fmean(y)
    return float(sum((b - a) * (low + high) / 2 for a, b, low, high in zip(x, x[1:], y, y[1:], strict=False)) / width)


def method_rows(bench: Bench, runs: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Each method of each task: mean, sample standard deviation and every seed's value of its end and its curve."""
    for name, task in bench.tasks.items():
        for method in task.methods:
            mine = [run for run in runs if (run["task"], run["method"]) == (name, method)]
            row: dict[str, Any] = {"task": name, "method": method, "figure": task.figure, "runs": len(mine)}
            if mine:
                row |= {key: _spread([run[key] for run in mine]) for key in ("start", "final", "mean")}
                row |= {key: statistics.fmean(run[key] for run in mine) for key in COUNTS}
            yield row


def _spread(values: Sequence[float]) -> dict[str, Any]:
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "std": deviation, "values": list(values)}


def claim_rows(bench: Bench, runs: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """The verdict on each claim; of those about the end also one `on_the_way`, from the means of the curves."""
    for claim in bench.claims:
        row: dict[str, Any] = {"claim": claim.text, "source": claim.source, "kind": claim.kind}
        row |= {"better": list(claim.better), "than": list(claim.than), **_judged(bench, claim, runs, "final")}
        if claim.kind == "ahead":
            row["on_the_way"] = _judged(bench, claim, runs, "mean")
        yield row


def _judged(bench: Bench, claim: Claim, runs: Sequence[Row], key: str) -> dict[str, Any]:
    lower = lower_is_better(bench.tasks[claim.better[0].partition("/")[0]].figure)
    better, than = sides(claim, runs, key)
    verdict = judge(better, than, lower=lower, level_is_enough=claim.kind != "ahead")
    return {"better_values": better, "than_values": than, **verdict._asdict()}


def sides(claim: Claim, runs: Sequence[Row], key: str) -> tuple[list[float], list[float]]:
    """[seeds] what is compared, of both sides: only seeds with which every method named was trained to its end.

    key: `final` or `mean` of a run's row.
    """
    found = {(f"{run['task']}/{run['method']}", run["seed"]): run for run in runs}
    seeds = sorted({seed for _, seed in found})
    better, than = [], []
    for seed in seeds:
        if not all((place, seed) in found for place in (*claim.better, *claim.than)):
            continue
        mine, others = ([found[place, seed] for place in places] for places in (claim.better, claim.than))
        half = statistics.fmean(run["answered"] for run in others) / 2
        better.append(statistics.fmean(run[key] if claim.kind == "ahead" else at_calls(run, half) for run in mine))
        than.append(statistics.fmean(run[key] for run in others))
    return better, than


def at_calls(run: Row, calls: float) -> float:
    """The figure of a run when it had made so many tool calls, from its curve; its last where it never made as many."""
    _, answered, heights = np.asarray(run["curve"], dtype=float).T
    return float(np.interp(calls, answered, heights))
