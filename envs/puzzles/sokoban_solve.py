"""The shortest solution of a small Sokoban position, by breadth-first search over moves."""

from __future__ import annotations

from collections import deque

from turnwise.envs.puzzles.sokoban_rules import MOVES, Position, Room, moved


def live_cells(room: Room) -> frozenset[int]:
    """The cells from which a lone box can be pushed to some target: pulled back from every target."""
    live, waiting = set(room.targets), sorted(room.targets)
    while waiting:
        cell = waiting.pop()
        for move in MOVES:
            box, player = cell + room.step(move), cell + 2 * room.step(move)
            if box not in room.walls and player not in room.walls and box not in live:
                live.add(box)
                waiting.append(box)
    return frozenset(live)


def solve(room: Room, start: Position, *, most: int = 200_000) -> tuple[str, ...] | None:
    """The fewest moves that bring every box to a target, or None where there are none.

    Raises OverflowError after `most` positions, with no answer.
    """
    if start.boxes <= room.targets:
        return ()
    live = live_cells(room)
    came: dict[Position, tuple[Position, str] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for move in MOVES:
            there = moved(room, here, move)
            if there is None or there in came or not there.boxes <= live:
                continue
            came[there] = (here, move)
            if there.boxes <= room.targets:
                return _way(came, there)
            waiting.append(there)
        if len(came) > most:
            raise OverflowError(f"no solution is known after {most} positions")
    return None


def _way(came: dict[Position, tuple[Position, str] | None], end: Position) -> tuple[str, ...]:
    """The moves from the start to a position."""
    moves = []
    while (link := came[end]) is not None:
        end, move = link
        moves.append(move)
    return tuple(reversed(moves))
