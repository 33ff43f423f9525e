"""Small mazes of rooms: made at random, drawn, and walked by the shortest way."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

STEPS = {"north": (-1, 0), "east": (0, 1), "south": (1, 0), "west": (0, -1)}
Room = tuple[int, int]
"""(row, column), both from 1 at the top left."""


@dataclass(frozen=True, slots=True)
class Maze:
    """Rooms in a rectangle, and where one can walk from one to the next."""

    height: int
    width: int
    passages: frozenset[tuple[Room, Room]]
    """Pairs of neighbours, the upper or left one first."""

    def exits(self, room: Room) -> tuple[str, ...]:
        """Names of the steps that lead out of a room."""
        return tuple(name for name in STEPS if self.open(room, beside(room, name)))

    def open(self, room: Room, other: Room) -> bool:
        """Whether two rooms are joined."""
        return (min(room, other), max(room, other)) in self.passages

    def way(self, start: Room, end: Room) -> tuple[str, ...]:
        """The steps of a shortest way; of several, the first in the order of `STEPS`."""
        came: dict[Room, tuple[str, ...]] = {start: ()}
        waiting = deque([start])
        while end not in came:
            room = waiting.popleft()
            for name in self.exits(room):
                if (reached := beside(room, name)) not in came:
                    came[reached] = (*came[room], name)
                    waiting.append(reached)
        return came[end]


def beside(room: Room, step: str) -> Room:
    """The place one step away, in the maze or not."""
    down, right = STEPS[step]
    return room[0] + down, room[1] + right


def make_maze(height: int, width: int, rng: np.random.Generator) -> Maze:
    """A random tree of passages that reaches every room, and one passage more for every six rooms."""
    rooms = [(row, column) for row in range(1, height + 1) for column in range(1, width + 1)]
    walls = [(room, beside(room, step)) for room in rooms for step in ("east", "south") if beside(room, step) in rooms]
    joined = {room: {room} for room in rooms}
    passages: set[tuple[Room, Room]] = set()
    closed = []
    for index in rng.permutation(len(walls)).tolist():
        first, second = walls[index]
        if joined[first] is joined[second]:
            closed.append(walls[index])
            continue
        passages.add(walls[index])
        joined[first] |= joined[second]
        for room in joined[second]:
            joined[room] = joined[first]
    return Maze(height, width, frozenset(passages | set(closed[: len(rooms) // 6])))


def draw_maze(maze: Maze, marks: dict[Room, str]) -> str:
    """Lines of text: # is a wall, - floor, and a room is its mark, where it has one."""
    lines = [["#"] * (2 * maze.width + 1) for _ in range(2 * maze.height + 1)]
    for row in range(1, maze.height + 1):
        for column in range(1, maze.width + 1):
            lines[2 * row - 1][2 * column - 1] = marks.get((row, column), "-")
    for (row, column), (lower, right) in maze.passages:
        lines[row + lower - 1][column + right - 1] = "-"
    return "\n".join("".join(line) for line in lines)
