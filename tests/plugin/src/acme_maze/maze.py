"""`Maze`: find the way out."""

from __future__ import annotations

import copy
from collections import deque
from typing import Self

import numpy as np

from turnwise.envs.core import IllegalAction, Step, TextGame

STEPS = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}
SIZES = {"easy": 2, "medium": 3, "hard": 4}
Cell = tuple[int, int]


class Maze(TextGame):
    """A perfect maze, dug by a random walk; from the corner at the top left to the one at the bottom right.

    Reward: 1 for getting out. Truncated after ten moves per room.
    """

    seats = ("player_0",)
    utility_bounds = (0.0, 1.0)
    can_clone = has_anchor = has_board = has_solution = True
    levels = tuple(SIZES)

    def __init__(self, *, level: str = "easy", prompt: str = "full") -> None:
        if level not in SIZES or prompt not in ("full", "compact"):
            raise ValueError(f"level is one of {', '.join(SIZES)}, prompt full or compact: got {level!r}, {prompt!r}")
        self.size, self.prompt, self._level = SIZES[level], prompt, level

    def start(self, rng: np.random.Generator) -> None:
        self.doors = dig(self.size, rng)
        self.at, self.moves, self.seat, self.level = (0, 0), 0, "player_0", self._level
        rules = "Find the way out of the maze, in the south-east. Answer with a direction, for example [south].\n"
        self.news = self.board("player_0") if self.prompt == "compact" else rules + self.board("player_0")

    def observe(self, seat: str) -> str:
        news, self.news = self.news, ""
        return news

    def board(self, seat: str) -> str:
        return f"Room {self.at[0]},{self.at[1]} of {self.size}x{self.size}. Doors: {', '.join(self._ways())}."

    def legal(self) -> tuple[str, ...]:
        return self._ways() if self.seat else ()

    def play(self, action: str) -> Step:
        if action not in self.legal():
            raise IllegalAction(f"there is no door to {action[:20]!r} here")
        self.at, self.moves = moved(self.at, action), self.moves + 1
        out, late = self._is_out(), self.moves == 10 * self.size**2
        self.seat = None if out or late else "player_0"
        self.news = "You are out." if out else self.board("player_0")
        return Step({"player_0": float(out)}, terminated=out, truncated=late and not out)

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def anchor(self) -> str:
        return f"{sorted(self.doors)} {self.at}"

    def solution(self) -> tuple[str, ...]:
        queue, seen = deque([(self.at, ())]), {self.at}
        while queue:
            cell, path = queue.popleft()
            if cell == (self.size - 1, self.size - 1):
                return path
            for name in STEPS:
                there = moved(cell, name)
                if (cell, name) in self.doors and there not in seen:
                    seen.add(there)
                    queue.append((there, (*path, name)))
        raise AssertionError("every room of a perfect maze can be reached")

    def _is_out(self) -> bool:
        return self.at == (self.size - 1, self.size - 1)

    def _ways(self) -> tuple[str, ...]:
        return tuple(name for name in STEPS if (self.at, name) in self.doors)


def moved(cell: Cell, name: str) -> Cell:
    """The cell beyond a door."""
    return cell[0] + STEPS[name][0], cell[1] + STEPS[name][1]


def dig(size: int, rng: np.random.Generator) -> set[tuple[Cell, str]]:
    """(cell, direction) of every door: a random spanning tree of the grid, by depth-first search."""
    back = {"north": "south", "south": "north", "east": "west", "west": "east"}
    doors: set[tuple[Cell, str]] = set()
    seen, path = {(0, 0)}, [(0, 0)]
    while path:
        cell = path[-1]
        inside = [name for name in STEPS if all(0 <= part < size for part in moved(cell, name))]
        fresh = [name for name in inside if moved(cell, name) not in seen]
        if not fresh:
            path.pop()
            continue
        name = fresh[int(rng.integers(len(fresh)))]
        there = moved(cell, name)
        doors |= {(cell, name), (there, back[name])}
        seen.add(there)
        path.append(there)
    return doors
