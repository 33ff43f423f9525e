"""The sliding and merging of 2048: pure functions of a board."""

from __future__ import annotations

from functools import lru_cache

Board = tuple[tuple[int, ...], ...]
"""Rows of tiles, 0 where a cell is empty."""

MOVES = ("up", "down", "left", "right")


@lru_cache(maxsize=1 << 16)
def merge(line: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """A line slid towards its first cell, and the points: the sum of the tiles that came of merging.

    Two equal neighbours become one of twice their value, those nearer to the first cell before the others, and a tile
    that came of merging does not merge again in the same move.
    """
    tiles = [tile for tile in line if tile]
    merged: list[int] = []
    points = at = 0
    while at < len(tiles):
        pair = at + 1 < len(tiles) and tiles[at] == tiles[at + 1]
        merged.append(tiles[at] * (2 if pair else 1))
        points += merged[-1] if pair else 0
        at += 2 if pair else 1
    return (*merged, *[0] * (len(line) - len(merged))), points


def slide(board: Board, move: str) -> tuple[Board, int]:
    """The board after a move, before a new tile comes, and the points. A board that stays the same cannot be played."""
    lines = board if move in ("left", "right") else tuple(zip(*board, strict=True))
    back = -1 if move in ("right", "down") else 1
    slid = [merge(line[::back]) for line in lines]
    rows = tuple(line[::back] for line, _ in slid)
    points = sum(gained for _, gained in slid)
    return (rows if move in ("left", "right") else tuple(zip(*rows, strict=True))), points


def empty_cells(board: Board) -> list[tuple[int, int]]:
    """(row, column) of every empty cell, row by row."""
    return [(r, c) for r, row in enumerate(board) for c, tile in enumerate(row) if not tile]


def put(board: Board, cell: tuple[int, int], tile: int) -> Board:
    """The board with this tile in a cell."""
    r, c = cell
    row = (*board[r][:c], tile, *board[r][c + 1 :])
    return (*board[:r], row, *board[r + 1 :])


def largest(board: Board) -> int:
    """The highest tile, 0 on an empty board."""
    return max(max(row) for row in board)
