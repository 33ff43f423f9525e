"""Boards with letters for columns and numbers for rows, as text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby


def coordinates(rows: Sequence[str], files: Sequence[str], ranks: Sequence[str], *, slant: int = 0) -> str:
    """The cells, one character each and a blank between, under their column names and beside their row names.

    rows, ranks: from the top down. slant: blanks by which every row stands further right than the one above it.
    """
    margin = max(map(len, ranks))
    lines = [f"{'':{margin}} {' '.join(files)}"]
    for depth, (rank, row) in enumerate(zip(ranks, rows, strict=True)):
        lines.append(f"{'':{slant * depth}}{rank:>{margin}} {' '.join(row)}")
    return "\n".join(lines)


def run_lengths(row: str, empty: str = ".") -> str:
    """A row as chess players write it: runs of empty cells by their number, `..x.` is `2x1`."""
    runs = ((cell, len(list(group))) for cell, group in groupby(row))
    return "".join(str(length) if cell == empty else cell * length for cell, length in runs)
