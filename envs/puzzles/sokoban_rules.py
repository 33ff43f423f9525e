"""Rooms, positions and moves of Sokoban: pure functions. A cell is a number, row * width + column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

MOVES = ("up", "down", "left", "right")
OPPOSITE = {"up": "down", "down": "up", "left": "right", "right": "left"}
FLOOR = "-"


@dataclass(frozen=True, slots=True)
class Room:
    """What does not move. The border is all wall."""

    height: int
    width: int
    walls: frozenset[int]
    targets: frozenset[int]

    def step(self, move: str) -> int:
        """What a move adds to a cell."""
        return {"up": -self.width, "down": self.width, "left": -1, "right": 1}[move]

    def place(self, cell: int) -> tuple[int, int]:
        """(row, column) of a cell, both from 1."""
        return cell // self.width + 1, cell % self.width + 1


class Position(NamedTuple):
    """What moves."""

    player: int
    boxes: frozenset[int]


def moved(room: Room, position: Position, move: str) -> Position | None:
    """The position after a step or a push, or None where a wall or a second box is in the way."""
    step = room.step(move)
    ahead = position.player + step
    if ahead in room.walls:
        return None
    if ahead not in position.boxes:
        return Position(ahead, position.boxes)
    beyond = ahead + step
    if beyond in room.walls or beyond in position.boxes:
        return None
    return Position(ahead, position.boxes - {ahead} | {beyond})


def on_target(room: Room, position: Position) -> int:
    """How many boxes stand on targets."""
    return len(position.boxes & room.targets)


def drawn(room: Room, position: Position) -> str:
    """The drawing: # wall, - floor, . target, $ box, * box on a target, @ player, + player on a target."""
    return "\n".join(
        "".join(_sign(room, position, row * room.width + column) for column in range(room.width))
        for row in range(room.height)
    )


def read(drawing: str) -> tuple[Room, Position]:
    """Room and position of a drawing as `drawn` makes it. Raises ValueError where it is none."""
    rows = drawing.split("\n")
    if len({len(row) for row in rows}) != 1 or set(drawing) - set("#-.$*@+\n"):
        raise ValueError("a drawing has rows of one length out of the signs # - . $ * @ +")
    signs = "".join(rows)
    players = [cell for cell, sign in enumerate(signs) if sign in "@+"]
    if len(players) != 1:
        raise ValueError(f"a drawing has one player, @ or +: got {len(players)}")
    cells = {kind: frozenset(cell for cell, sign in enumerate(signs) if sign in kind) for kind in ("#", ".*+", "$*")}
    return Room(len(rows), len(rows[0]), cells["#"], cells[".*+"]), Position(players[0], cells["$*"])


def _sign(room: Room, position: Position, cell: int) -> str:
    if cell in room.walls:
        return "#"
    target = cell in room.targets
    if cell in position.boxes:
        return "*" if target else "$"
    if cell == position.player:
        return "+" if target else "@"
    return "." if target else FLOOR
