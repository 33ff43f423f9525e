"""The field of Minesweeper: pure functions. A cell is a number, row * columns + column."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property, lru_cache


@lru_cache(maxsize=256)
def neighbours(rows: int, columns: int) -> tuple[tuple[int, ...], ...]:
    """Of every cell: the up to eight cells that touch it, in order."""
    return tuple(
        tuple(
            near_row * columns + near_column
            for near_row in range(max(0, row - 1), min(rows, row + 2))
            for near_column in range(max(0, column - 1), min(columns, column + 2))
            if (near_row, near_column) != (row, column)
        )
        for row in range(rows)
        for column in range(columns)
    )


@lru_cache(maxsize=256)
def cell_names(rows: int, columns: int) -> tuple[str, ...]:
    """Of every cell: its name, such as r2c3, both numbers from 1."""
    return tuple(f"r{row}c{column}" for row in range(1, rows + 1) for column in range(1, columns + 1))


@dataclass(frozen=True)
class Field:
    """Where the mines are."""

    rows: int
    columns: int
    mines: frozenset[int]

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Of every cell: how many mines touch it."""
        return tuple(len(self.mines.intersection(near)) for near in neighbours(self.rows, self.columns))

    @property
    def safe(self) -> int:
        """How many cells hold no mine."""
        return self.rows * self.columns - len(self.mines)


def opened(field: Field, cell: int, already: Set[int]) -> frozenset[int]:
    """The cells that a reveal of a safe cell opens: itself, and around every cell that touches no mine its neighbours.

    `already`: cells that are left out, since they are open or flagged.
    """
    near = neighbours(field.rows, field.columns)
    found, waiting = {cell}, [cell]
    while waiting:
        here = waiting.pop()
        if field.counts[here] == 0:
            new = [other for other in near[here] if other not in found and other not in already]
            found.update(new)
            waiting += new
    return frozenset(found)
