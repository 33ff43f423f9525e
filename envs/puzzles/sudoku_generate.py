"""Sudoku puzzles with one solution: a full grid, from which digits are taken while the solution stays the only one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from turnwise.envs.puzzles.sudoku_solver import Grid, only_solution, solutions

MOST_EMPTY = {4: 10, 6: 24, 9: 54}
"""Size of the grid -> empty cells that can be asked for; more are rare or impossible."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a puzzle has to be like."""

    size: int
    empty: int


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A grid with empty cells and its only solution."""

    size: int
    given: Grid
    solution: Grid


def generate(size: Size, rng: np.random.Generator) -> Puzzle:
    """A puzzle with so many empty cells, proved to have one solution."""
    while True:
        full = next(solutions((0,) * size.size**2, size.size, rng))
        given = _dug(full, size, rng)
        if given is not None:
            return Puzzle(size.size, given, full)


def _dug(full: Grid, size: Size, rng: np.random.Generator) -> Grid | None:
    """The grid with cells emptied in a random order, or None where too few can be."""
    grid, left = full, size.empty
    for cell in rng.permutation(len(full)).tolist():
        if not left:
            break
        emptier = (*grid[:cell], 0, *grid[cell + 1 :])
        if only_solution(emptier, size.size) is not None:
            grid, left = emptier, left - 1
    return None if left else grid
