"""Minesweeper fields with a safe opening, on request such that nothing has to be guessed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from turnwise.envs.puzzles.minesweeper_rules import Field, neighbours, opened
from turnwise.envs.puzzles.minesweeper_solver import guessless


@dataclass(frozen=True, slots=True)
class Size:
    """What a field has to be like."""

    rows: int
    columns: int
    mines: int


@dataclass(frozen=True, slots=True)
class Minefield:
    """A field and the cell that is opened first."""

    field: Field
    first: int
    plan: tuple[int, ...] | None
    """Cells to reveal after the first one, each certainly safe by then; None where some guess may be needed."""


def most_mines(rows: int, columns: int, solvable: bool) -> int:
    """How many mines a field may have: a fifth of its cells where nothing may have to be guessed, else all but 10."""
    return rows * columns // 5 if solvable else rows * columns - 10


def generate(size: Size, first: int, solvable: bool, rng: np.random.Generator) -> Minefield:
    """A field with no mine on the first cell nor around it, and something left to reveal after the first cell."""
    kept = {first, *neighbours(size.rows, size.columns)[first]}
    cells = np.array([cell for cell in range(size.rows * size.columns) if cell not in kept])
    while True:
        mines = frozenset(rng.choice(cells, size.mines, replace=False).tolist())
        field = Field(size.rows, size.columns, mines)
        shown = opened(field, first, frozenset())
        if len(shown) == field.safe:
            continue
        plan = guessless(field, shown) if solvable else None
        if plan is not None or not solvable:
            return Minefield(field, first, plan)
