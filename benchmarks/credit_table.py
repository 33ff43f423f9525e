"""The figures of the credit benchmark as docs/ tells them: tables for credit.md, a sentence for a method's paragraph.

    python benchmarks/credit_table.py            # print them
    python benchmarks/credit_table.py --write    # put them into the pages

A table stands between the comments `<!-- credit_table: NAME -->` and `<!-- end -->`, NAME being `summary` or a task; a
sentence is a line of its own that begins with `*Measured (METHOD):`.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pages
from credit_plot import biased

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/results/credit.json"
PAGES = (ROOT / "docs/algorithms.md", ROOT / "docs/credit.md")
POLICY = "half-trained"
"""Whose figures the tables of the tasks show."""
SENTENCE = re.compile(r"^\*Measured \((.+?)\):.*$", re.MULTILINE)

FIGURES = {
    "scale": ("scale", ".2f"),
    "noise": ("std_scaled", ".2f"),
    "correlation": ("correlation", ".2f"),
    "cosine": ("gradient_cosine", ".2f"),
    "wrong sign": ("sign_errors", ".0%"),
    "silent": ("silent", ".0%"),
    "decisive": ("decisive_share", ".0%"),
    "extra tokens": ("extra_tokens", ".0%"),
    "forwards": ("extra_forwards", ".2f"),
}
"""Column -> figure of a row, and its form."""
OVERALL = ("correlation", "cosine", "wrong sign", "silent", "decisive", "extra tokens", "forwards")
IN_TASK = ("scale", "noise", "correlation", "cosine", "wrong sign", "silent", "decisive", "extra tokens")
Row = Mapping[str, Any]


def read_rows(path: Path = RESULTS) -> list[dict[str, Any]]:
    """One row per task, policy and method."""
    rows: list[dict[str, Any]] = json.loads(path.read_text())["rows"]
    return rows


def measured(rows: Sequence[Row], method: str) -> list[Row]:
    """Rows of a method, those left out aside. Raises KeyError on an unknown method."""
    found = [row for row in rows if row["method"] == method]
    if not found:
        raise KeyError(f"{RESULTS.name} has no method {method!r}; it has {', '.join(methods(rows))}")
    return [row for row in found if "left_out" not in row]


def methods(rows: Sequence[Row]) -> list[str]:
    """In the order of the benchmark."""
    return list(dict.fromkeys(row["method"] for row in rows))


def mean(rows: Sequence[Row], figure: str) -> float:
    """Over these rows."""
    return statistics.fmean(row[figure] for row in rows)


def sentence(rows: Sequence[Row], method: str) -> str:
    """Means over all tasks and policies that a method was measured at."""
    found = measured(rows, method)
    count = sum(map(biased, found))
    correlation, cosine = (mean(found, figure) for figure in ("correlation", "gradient_cosine"))
    return (
        f"*Measured ({method}): correlation {correlation:.2f}, cosine {cosine:.2f}, biased in {count} of {len(found)}.*"
    )


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown: one line a method, means over all tasks and policies."""
    yield from pages.head("method", *OVERALL, "biased in")
    for method in methods(rows):
        found = measured(rows, method)
        yield pages.row(method, *_means(found, OVERALL), f"{sum(map(biased, found))} of {len(found)}")


def of_task(rows: Sequence[Row], task: str) -> Iterator[str]:
    """Markdown: one line a method under the half-trained policy; a bias that is no accident has a star."""
    yield from pages.head("method", "bias", *IN_TASK)
    for row in rows:
        if (row["task"], row["policy"]) == (task, POLICY) and "left_out" not in row:
            bias = f"{row['bias_scaled']:.2f}" + ("*" if biased(row) else "")
            yield pages.row(row["method"], bias, *_means([row], IN_TASK))


def _means(rows: Sequence[Row], columns: Sequence[str]) -> Iterator[str]:
    for figure, form in (FIGURES[column] for column in columns):
        yield format(mean(rows, figure), form)


def table(rows: Sequence[Row], name: str) -> str:
    """The table of that name, a line break at its end. Raises KeyError on a name that is neither summary nor a task."""
    tasks = {row["task"] for row in rows}
    if name not in tasks | {"summary"}:
        raise KeyError(f"a table is called summary or {', '.join(sorted(tasks))}: got {name!r}")
    lines = summary(rows) if name == "summary" else of_task(rows, name)
    return "\n".join(lines) + "\n"


def filled(page: str, rows: Sequence[Row]) -> str:
    """The text of a page with every table and every sentence as the figures have them."""
    page = pages.filled(page, "credit_table", lambda name: table(rows, name))
    return SENTENCE.sub(lambda found: sentence(rows, found[1]), page)


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> None:
    """Print all, or write it into the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the figures into docs/")
    options = parser.parse_args(arguments)
    rows = read_rows()
    if options.write:
        for page in PAGES:
            page.write_text(filled(page.read_text(), rows))
            say(str(page))
        return
    for name in ("summary", *dict.fromkeys(row["task"] for row in rows)):
        say(f"{name}\n\n{table(rows, name)}")
    for method in methods(rows):
        say(sentence(rows, method))


if __name__ == "__main__":
    main()
