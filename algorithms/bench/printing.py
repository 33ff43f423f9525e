"""The table of a learning benchmark, and its verdicts, in plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from turnwise.algorithms.bench.definition import Bench
from turnwise.algorithms.reporting.measures import duration, label, lower_is_better

HEADER = ("method", "runs", "start", "end", "mean of the curve", "tokens", "tool calls", "updates", "time of a run")


def lines(bench: Bench, result: Mapping[str, Any]) -> Iterator[str]:
    """Everything a person wants to see of a result."""
    quick = " (quick form: few seeds and tokens)" if result["quick"] else ""
    for name, task in bench.tasks.items():
        better = "lower" if lower_is_better(task.figure) else "higher"
        yield ""
        yield f"{name}: {task.title}; {label(task.figure).lower()}, {better} is better{quick}"
        rows = [_cells(row) for row in result["methods"] if row["task"] == name]
        yield from columns([HEADER, *rows])
    if result["claims"]:
        yield ""
        yield f"claims{quick}; {result['rule']}"
    for row in result["claims"]:
        yield f"- {row['claim']} {shown(row)}{_on_the_way(row)}. {row['source']}"
    for failure in result["failures"]:
        yield f"FAILED {failure['run']}: {failure['reason'].splitlines()[-1] if failure['reason'] else 'no message'}"


def shown(verdict: Mapping[str, Any]) -> str:
    """A verdict in words: `seen (+0.120, standard error 0.031)`."""
    if verdict["difference"] is None:
        return str(verdict["verdict"])
    error = "" if verdict["error"] is None else f", standard error {verdict['error']:.3f}"
    return f"{verdict['verdict']} ({verdict['difference']:+.3f}{error})"


def _on_the_way(row: Mapping[str, Any]) -> str:
    return f"; on the way: {shown(row['on_the_way'])}" if "on_the_way" in row else ""


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    if not row["runs"]:
        return (row["method"], "0", *["-"] * (len(HEADER) - 2))
    spreads = [_spread(row[key]) for key in ("start", "final", "mean")]
    counts = [f"{row[key]:,.0f}" for key in ("tokens", "answered", "steps")]
    return (row["method"], str(row["runs"]), *spreads, *counts, duration(row["seconds"]))


def _spread(found: Mapping[str, Any]) -> str:
    return f"{found['mean']:.3f}" + ("" if found["std"] is None else f" ± {found['std']:.3f}")


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of texts as lines, the first column to the left and the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join([row[0].ljust(widths[0]), *cells]).rstrip()
