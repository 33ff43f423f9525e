"""What stands where, read off a MiniGrid environment: things with their places, and a sketch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNSEEN, EMPTY, WALL, FLOOR, DOOR, KEY, BALL, BOX, GOAL, LAVA, AGENT = range(11)
"""MiniGrid's codes of what a cell holds."""
COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
DOOR_STATES = ("open", "closed", "locked")
FACINGS = ("east", "south", "west", "north")
ARROWS = ">v<^"
_SYMBOLS = {UNSEEN: "?", EMPTY: ".", FLOOR: ".", WALL: "#", KEY: "k", BALL: "o", BOX: "b", GOAL: "G", LAVA: "~"}
_DOORS = "/DL"
_NAMES = {KEY: "key", BALL: "ball", BOX: "box"}

Cells = NDArray[np.uint8]
"""[width, height, 3]: code, colour and state of every cell, as MiniGrid encodes a grid."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that is neither wall nor free floor, and where: columns and rows count from the left and the top."""

    name: str
    column: int
    row: int


@dataclass(frozen=True, slots=True)
class View:
    """One look at the world."""

    things: tuple[Thing, ...]
    sketch: tuple[str, ...]
    """One character a cell, row by row; the agent is an arrow."""
    column: int
    """Where the agent is, in the columns and rows of this view."""
    row: int

    def is_wall(self, column: int, row: int) -> bool:
        return 0 <= row < len(self.sketch) and 0 <= column < len(self.sketch[row]) and self.sketch[row][column] == "#"


def seen_by_agent(env: Any) -> View:
    """What the agent sees: it stands in the middle of the lowest row and looks up."""
    cells: Cells = env.gen_obs()["image"]
    return _view(cells, cells.shape[0] // 2, cells.shape[1] - 1, "^")


def whole_grid(env: Any) -> View:
    """The whole grid, north up."""
    column, row = map(int, env.agent_pos)
    return _view(env.grid.encode(), column, row, ARROWS[int(env.agent_dir)])


def name_of(cell: Any) -> str:
    """The name of an object of MiniGrid."""
    return _name(*map(int, cell.encode()))


def _view(cells: Cells, column: int, row: int, arrow: str) -> View:
    width, height, _ = cells.shape
    rows, things = [], []
    table = cells.tolist()
    for y in range(height):
        line = []
        for x in range(width):
            code, colour, state = table[x][y]
            if (x, y) == (column, row):
                line.append(arrow)
                if code != GOAL and code != DOOR:  # what the agent carries is shown where it stands
                    continue
            else:
                line.append(_DOORS[state] if code == DOOR else _SYMBOLS[code])
            if code >= DOOR:
                things.append(Thing(_name(code, colour, state), x, y))
        rows.append("".join(line))
    return View(tuple(things), tuple(rows), column, row)


def _name(code: int, colour: int, state: int) -> str:
    if code == LAVA:
        return "lava"
    if code == GOAL:
        return f"{COLOURS[colour]} goal square"
    if code == DOOR:
        return f"{DOOR_STATES[state]} {COLOURS[colour]} door"
    return f"{COLOURS[colour]} {_NAMES[code]}"
