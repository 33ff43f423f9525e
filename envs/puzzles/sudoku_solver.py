"""Sudoku grids: what may stand in a cell, and every solution, by search over the cell with the fewest candidates.

A grid is a tuple of digits, row by row, 0 where a cell is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

Grid = tuple[int, ...]
BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}
"""Size of the grid -> rows and columns of a box."""


@cache
def peers(size: int) -> tuple[tuple[int, ...], ...]:
    """Of every cell: the cells that share its row, column or box, itself left out."""
    high, wide = BOXES[size]

    def units(cell: int) -> tuple[tuple[int, int], ...]:
        row, column = divmod(cell, size)
        return ((0, row), (1, column), (2, row // high * size + column // wide))

    cells = range(size * size)
    return tuple(
        tuple(other for other in cells if other != cell and set(units(cell)) & set(units(other))) for cell in cells
    )


def candidates(grid: Grid | list[int], size: int, cell: int) -> list[int]:
    """The digits that clash with no other in the cell's row, column and box."""
    taken = {grid[other] for other in peers(size)[cell]}
    return [digit for digit in range(1, size + 1) if digit not in taken]


def solutions(grid: Grid, size: int, rng: np.random.Generator | None = None) -> Iterator[Grid]:
    """Every full grid that agrees with this one, found as they are asked for; in a random order where rng is given."""
    cells = list(grid)
    for cell, digit in enumerate(cells):
        if digit and any(cells[other] == digit for other in peers(size)[cell]):
            return
    full = (1 << (size + 1)) - 2
    open_cells = {
        cell: full & ~sum({1 << cells[other] for other in peers(size)[cell] if cells[other]})
        for cell, digit in enumerate(cells)
        if not digit
    }
    yield from _fill(cells, open_cells, peers(size), rng)


def _fill(
    cells: list[int], free: dict[int, int], near: tuple[tuple[int, ...], ...], rng: np.random.Generator | None
) -> Iterator[Grid]:
    """free: empty cell -> its candidates, a bit for each digit."""
    if not free:
        yield tuple(cells)
        return
    cell = min(free, key=lambda empty: free[empty].bit_count())
    bits = free.pop(cell)
    digits = [digit for digit in range(1, bits.bit_length()) if bits >> digit & 1]
    for digit in digits if rng is None else [digits[i] for i in rng.permutation(len(digits)).tolist()]:
        bit = 1 << digit
        touched = [other for other in near[cell] if free.get(other, 0) & bit]
        if all(free[other] != bit for other in touched):
            cells[cell] = digit
            for other in touched:
                free[other] ^= bit
            yield from _fill(cells, free, near, rng)
            for other in touched:
                free[other] |= bit
            cells[cell] = 0
    free[cell] = bits


def only_solution(grid: Grid, size: int) -> Grid | None:
    """The solution of a grid that has exactly one, else None."""
    found = solutions(grid, size)
    first = next(found, None)
    return first if first is not None and next(found, None) is None else None
