"""The figures of `turnwise bench learn` as docs/learning.md tells them: the claims, and a picture and a table a task.

python benchmarks/learn_table.py            # print them
python benchmarks/learn_table.py --write    # put them into the page
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pages

from turnwise.algorithms.bench.learn import table as read_bench
from turnwise.algorithms.bench.printing import shown
from turnwise.algorithms.reporting.measures import label, lower_is_better

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/results/learn.json"
PAGE = ROOT / "docs/learning.md"
COLUMNS = ("method", "runs", "start", "end", "mean of the curve", "tokens", "tool calls", "updates")

Result = Mapping[str, Any]


def claims(result: Result) -> Iterator[str]:
    """Markdown: where the figures come from, and the verdict on each claim, at the end and from the whole curve."""
    yield "## What was seen\n"
    seeds = ", ".join(map(str, result["seeds"]))
    form = "the quick form: one seed or few tokens, no verdicts to rely on" if result["quick"] else f"seeds {seeds}"
    yield f"`{result['command']}`, commit `{result['commit'][:10]}`, {result['machine']['cpu']}; {form}."
    yield f"Differences are of the figure; in brackets {result['rule']}"
    yield ""
    yield from pages.head("claim", "at the end", "over the whole run", "who says so")
    for row in result["claims"]:
        on_the_way = shown(row["on_the_way"]) if "on_the_way" in row else ""
        yield pages.row(row["claim"], shown(row), on_the_way, row["source"])
    for failure in result["failures"]:
        yield f"\nThe run {failure['run']} failed."


def tasks(result: Result, titles: Mapping[str, str]) -> Iterator[str]:
    """Markdown: a heading, a picture and a table for every task that was run."""
    yield "## Task by task\n"
    for name in dict.fromkeys(row["task"] for row in result["methods"] if row["runs"]):
        rows = [row for row in result["methods"] if row["task"] == name and row["runs"]]
        figure = rows[0]["figure"]
        better = "lower" if lower_is_better(figure) else "higher"
        yield f"### {name.replace('_', ' ').capitalize()}: {titles[name]}\n"
        yield f"![{label(figure)} over sampled tokens](learn_{name}.png)\n"
        yield f"{label(figure)}, mean ± standard deviation over the seeds; {better} is better.\n"
        yield from pages.head(*COLUMNS)
        yield from map(_method, rows)
        yield ""


def _method(row: Mapping[str, Any]) -> str:
    spreads = (_spread(row[key]) for key in ("start", "final", "mean"))
    counts = (f"{row[key]:,.0f}" for key in ("tokens", "answered", "steps"))
    return pages.row(row["method"].replace("_", " "), str(row["runs"]), *spreads, *counts)


def _spread(found: Mapping[str, Any]) -> str:
    return f"{found['mean']:.3f}" + ("" if found["std"] is None else f" ± {found['std']:.3f}")


def part(result: Result, name: str) -> str:
    """The part of that name. Raises KeyError on another than claims and tasks."""
    if name not in ("claims", "tasks"):
        raise KeyError(f"a part is called claims or tasks: got {name!r}")
    titles = {key: task.title for key, task in read_bench().tasks.items()}
    return "\n".join(claims(result) if name == "claims" else tasks(result, titles)) + "\n"


def filled(page: str, result: Result) -> str:
    """The text of the page with both parts as the figures have them."""
    return pages.filled(page, "learn_table", lambda name: part(result, name))


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> None:
    """Print all, or write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the figures into docs/")
    options = parser.parse_args(arguments)
    if not RESULTS.exists():
        sys.exit(f"{RESULTS} is not there: run turnwise bench learn first")
    result = json.loads(RESULTS.read_text())
    if not options.write:
        return say(part(result, "claims") + "\n" + part(result, "tasks"))
    PAGE.write_text(filled(PAGE.read_text(), result))
    return say(str(PAGE))


if __name__ == "__main__":
    main()
