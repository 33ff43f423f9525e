"""MiniGrid and Gymnasium's toy-text worlds, from above."""

from __future__ import annotations

import re
from typing import Any

from turnwise.boards.puzzles import FLOOR, Signs, block, drawn
from turnwise.boards.shapes import Board, Known, cell, grid

_GRID: Signs = {
    **FLOOR,
    "?": ("", "muted"),
    "k": ("⚷", "hint"),
    "o": ("●", "near"),
    "b": ("□", "second"),
    "G": ("◎", "goal"),
    "~": ("≈", "bad"),
    "/": ("╱", "good"),
    "D": ("▯", "near"),
    "L": ("▮", "bad"),
    ">": ("▶", "first"),
    "v": ("▼", "first"),
    "<": ("◀", "first"),
    "^": ("▲", "first"),
}
_LAKE: Signs = {**FLOOR, "S": ("", "hint"), "G": ("◎", "goal"), "H": ("", "bad"), "P": ("☺", "first")}
_STANDS = ((0, 0), (0, 4), (4, 0), (4, 3))


def minigrid(known: Known, game: Any, seat: str | None) -> Board | None:
    """What the agent sees, it being the arrow; for everybody the whole grid, north up."""
    from turnwise.envs.minigrid.view import seen_by_agent, whole_grid

    shown = whole_grid if seat is None or game.view == "full" else seen_by_agent
    mission = game._env.mission
    return grid(drawn(shown(game._env).sketch, _GRID), caption=f"Your task: {mission}." if mission else "")


def toy_text(known: Known, game: Any, seat: str | None) -> Board | None:
    """FrozenLake, CliffWalking and Taxi, of which the seat is told where everything is."""
    env = game._env.unwrapped
    name = type(env).__name__
    if name == "FrozenLakeEnv":
        rows = block(game.describe(env.s, {}, env).split("\n"), r"[.SGHP]+")
        return grid(drawn(rows, _LAKE))
    if name == "CliffWalkingEnv":
        return _cliff(game.describe(env.s, {}, env))
    return _taxi(env) if name == "TaxiEnv" else None


def _cliff(told: str) -> Board | None:
    found = re.search(r"row (\d+), column (\d+)", told)
    if found is None:
        return None
    cells = [[cell() for _ in range(12)] for _ in range(4)]
    cells[3][1:11] = [cell("", "bad") for _ in range(10)]
    cells[3][11] = cell("◎", "goal")
    cells[int(found[1])][int(found[2])] = cell("☺", "first")
    return grid(cells, row_labels=["0", "1", "2", "3"], col_labels=[str(column) for column in range(12)])


def _taxi(env: Any) -> Board:
    row, column, passenger, goal = env.decode(int(env.s))
    cells = [[cell() for _ in range(5)] for _ in range(5)]
    cells[_STANDS[goal][0]][_STANDS[goal][1]] = cell("◎", "goal")
    if passenger < 4:
        cells[_STANDS[passenger][0]][_STANDS[passenger][1]] = cell("☺", "second")
    cells[row][column] = cell("T", "good" if passenger == 4 else "first")
    caption = "T the taxi, ☺ the passenger, ◎ the destination." + (
        " The passenger is inside." if passenger == 4 else ""
    )
    return grid(
        cells, row_labels=[str(row) for row in range(5)], col_labels=[str(at) for at in range(5)], caption=caption
    )
