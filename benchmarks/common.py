"""What every benchmark shares: the machine it ran on, a JSON result file, and a plain table."""

from __future__ import annotations

import datetime
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from turnwise.algorithms.reporting.provenance import commit, machine

__all__ = ["command", "commit", "machine", "print_table", "save_result"]

Row = Mapping[str, Any]


def save_result(path: str | Path, rows: Sequence[Row], *, packages: Sequence[str] = (), **notes: Any) -> None:
    """Write command, commit, machine, date, notes and rows as one JSON object."""
    result = {
        "command": command(),
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine(packages),
        **notes,
        "rows": [dict(row) for row in rows],
    }
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def command() -> str:
    """The command line as one would type it at the top of the repository."""
    script = Path(sys.argv[0]).resolve()
    root = Path(__file__).resolve().parents[1]
    shown = script.relative_to(root) if script.is_relative_to(root) else script.name
    return shlex.join(["python", str(shown), *sys.argv[1:]])


def print_table(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Print the columns of the rows, numbers to the right, large ones with thousands marked."""
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [list(columns), *cells]) for i in range(len(columns))]
    numeric = [any(isinstance(row.get(column), int | float) for row in rows) for column in columns]
    for line in [list(columns), ["-" * width for width in widths], *cells]:
        shown = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        )
        print("  ".join(shown).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
