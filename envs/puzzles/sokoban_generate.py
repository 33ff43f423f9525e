"""Sokoban rooms made by playing backwards from the solved position: every one of them can be solved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from math import comb

import numpy as np

from turnwise.envs.puzzles.sokoban_rules import MOVES, OPPOSITE, Position, Room, drawn, moved, on_target
from turnwise.envs.puzzles.sokoban_solve import solve

WALLS = 0.25
"""Share of inner cells that the first draft of a room makes wall; each further draft has fewer."""
SMALL = 8_000
"""Positions up to which a room's plan is the shortest one."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a room has to be like."""

    height: int
    width: int
    """Cells, the border of walls included."""
    boxes: int
    pushes: int
    """Fewest pushes of the solution that comes with the room."""
    turns: int
    """Moves after which the game stops; the solution takes half of them at most."""


@dataclass(frozen=True, slots=True)
class Level:
    """A room, where everything stands at first, and moves that solve it: the fewest, where the room is small."""

    room: Room
    start: Position
    plan: tuple[str, ...]


def generate(size: Size, rng: np.random.Generator) -> Level:
    """A room that can be solved, with no box on a target at first.

    Drafts that come out too easy or too long are thrown away; where many were, walls and pushes are asked for less.
    """
    for draft in count():
        floor = _floor(size, WALLS * 0.95**draft, rng)
        if len(floor) >= 4 * size.boxes + 4:
            level = _pulled_apart(size, max(1, size.pushes - draft // 100), floor, rng)
            if level is not None:
                return level
    raise AssertionError("drafts never end")


def _floor(size: Size, walls: float, rng: np.random.Generator) -> list[int]:
    """The largest connected part of the inner cells that are no wall, in order."""
    inside = [row * size.width + column for row in range(1, size.height - 1) for column in range(1, size.width - 1)]
    free = {cell for cell, draw in zip(inside, rng.random(len(inside)), strict=True) if draw >= walls}
    parts = []
    while free:
        part, waiting = set(), [min(free)]
        while waiting:
            cell = waiting.pop()
            if cell in free:
                free.discard(cell)
                part.add(cell)
                waiting += (cell - size.width, cell + size.width, cell - 1, cell + 1)
        parts.append(sorted(part))
    return max(parts, key=len, default=[])


def _pulled_apart(size: Size, pushes: int, floor: list[int], rng: np.random.Generator) -> Level | None:
    """Boxes on targets, pulled off them at random; None where no good start came up."""
    drawn = [floor[i] for i in rng.permutation(len(floor))[: size.boxes + 1].tolist()]
    walls = frozenset(range(size.height * size.width)) - frozenset(floor)
    room = Room(size.height, size.width, walls, frozenset(drawn[1:]))
    trail = [Position(drawn[0], room.targets)]
    for _ in range(4 * pushes + 4 * size.boxes):
        pulled = _pull(room, trail, rng)
        if not pulled:
            break
        trail += pulled
        if on_target(room, trail[-1]) == 0:
            plan = _forward(room, trail)
            if _small(room):
                plan = solve(room, trail[-1]) or plan
            if count_pushes(room, trail[-1], plan) >= pushes and 2 * len(plan) <= size.turns:
                return Level(room, trail[-1], plan)
    return None


def _small(room: Room) -> bool:
    """Whether a search for the shortest solution takes a few milliseconds at most."""
    floor = room.height * room.width - len(room.walls)
    return floor * comb(floor, len(room.targets)) <= SMALL


def count_pushes(room: Room, start: Position, plan: Sequence[str]) -> int:
    """How many of the moves push a box. Raises ValueError where one of them is not possible."""
    pushes, here = 0, start
    for move in plan:
        there = moved(room, here, move)
        if there is None:
            raise ValueError(f"a plan is made of possible moves: {move} is none in\n{drawn(room, here)}")
        pushes += there.boxes != here.boxes
        here = there
    return pushes


def _pull(room: Room, trail: list[Position], rng: np.random.Generator) -> list[Position]:
    """The positions of walking to a box and pulling it one or more cells, drawn at random; empty where none can be."""
    here = trail[-1]
    came = _walks(room, here)
    pulls: dict[int, list[tuple[int, int]]] = {}
    for cell in came:
        for move in MOVES:
            step = room.step(move)
            if cell - step in here.boxes and cell + step not in room.walls and cell + step not in here.boxes:
                pulls.setdefault(cell - step, []).append((cell, step))
    if not pulls:
        return []
    boxes = sorted(pulls)
    choices = pulls[boxes[int(rng.integers(len(boxes)))]]
    cell, step = choices[int(rng.integers(len(choices)))]
    positions = [Position(stop, here.boxes) for stop in _walk(came, cell)]
    boxes_now, most = here.boxes, int(rng.integers(1, 4))
    while most and cell + step not in room.walls and cell + step not in boxes_now:
        boxes_now = boxes_now - {cell - step} | {cell}
        cell += step
        positions.append(Position(cell, boxes_now))
        most -= 1
    return positions


def _walks(room: Room, here: Position) -> dict[int, int]:
    """Every cell that the player reaches without moving a box -> the cell before it on a shortest way."""
    came, waiting = {here.player: here.player}, [here.player]
    for cell in waiting:
        for move in MOVES:
            ahead = cell + room.step(move)
            if ahead not in came and ahead not in room.walls and ahead not in here.boxes:
                came[ahead] = cell
                waiting.append(ahead)
    return came


def _walk(came: dict[int, int], cell: int) -> list[int]:
    """The cells on the way to a cell, the first one left out."""
    way = []
    while came[cell] != cell:
        way.append(cell)
        cell = came[cell]
    return way[::-1]


def _forward(room: Room, trail: list[Position]) -> tuple[str, ...]:
    """The moves that lead a trail backwards to its solved start, detours left out."""
    names = {room.step(OPPOSITE[move]): OPPOSITE[move] for move in MOVES}
    positions = trail[::-1]
    last = {position: index for index, position in enumerate(positions)}
    moves, here = [], positions[0]
    while here.boxes != room.targets:
        there = positions[last[here] + 1]
        moves.append(names[there.player - here.player])
        here = there
    return tuple(moves)
