"""A simple plan for a cook: do what is needed next, by the shortest free way, and anything at all where there is none.

It gets soups served, not as many as can be.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set

import numpy as np

from turnwise.envs.kitchen.game import KitchenGame
from turnwise.envs.kitchen.layouts import COUNTER, DIRECTIONS, FLOOR, HATCH, ONIONS, PLATES, Cell, Layout
from turnwise.envs.kitchen.rules import FULL, ONION, PLATE, SOUP, Kitchen, faced

STRAY = 0.1
"""How often a cook does anything at all, so that nobody stands in the way for ever."""


def greedy_action(game: KitchenGame, rng: np.random.Generator) -> str:
    """The next action of the seat to act. Raises ValueError where nobody acts."""
    if game.seat is None:
        raise ValueError("greedy_action needs a running game: it is over, or was never started")
    seat, layout, kitchen = game.seats.index(game.seat), game.layout, game._kitchen
    if rng.random() < STRAY:
        return game.sample_action(rng)
    goals = _goals(layout, kitchen, seat)
    cook = kitchen.cooks[seat]
    if faced(cook) in goals:
        return "interact"
    others = {other.cell for i, other in enumerate(kitchen.cooks) if i != seat}
    return _step(layout, cook.cell, goals, others) or game.sample_action(rng)


def _goals(layout: Layout, kitchen: Kitchen, seat: int) -> Set[Cell]:
    """The cells that the cook should interact with next, out of those that it can reach."""
    here = _reached(layout, kitchen.cooks[seat].cell)
    near = _beside(layout, here)
    holds = kitchen.cooks[seat].holds
    lying = dict(kitchen.counters)
    free = {cell for cell in near if layout.at(cell) == COUNTER and cell not in lying}
    pots = dict(zip(layout.pots, kitchen.pots, strict=True))
    shared = {cell for cell in free if _other_side(layout, cell, here)}
    if holds == SOUP:
        return _of(layout, near, HATCH) or shared
    if holds == ONION:
        return {cell for cell, pot in pots.items() if cell in near and pot.onions < FULL} or _aside(
            near, pots, shared, free
        )
    if holds == PLATE:
        hot = {cell for cell, pot in pots.items() if cell in near and pot.onions == FULL}
        return {cell for cell in hot if pots[cell].done} or hot or _aside(near, pots, shared, free)
    return _fetch(layout, kitchen, near, pots, lying)


def _aside(near: Set[Cell], pots: Collection[Cell], shared: Set[Cell], free: Set[Cell]) -> Set[Cell]:
    """Where to lay what cannot be used now: between the rooms for a cook that reaches no pot, else anywhere."""
    return free if any(cell in near for cell in pots) else shared


def _fetch(
    layout: Layout, kitchen: Kitchen, near: Set[Cell], pots: Collection[Cell], lying: Mapping[Cell, str]
) -> Set[Cell]:
    """What a cook with empty hands should take."""
    own_pots = any(cell in near for cell in pots)
    stock = [*lying.values(), *(cook.holds for cook in kitchen.cooks)]

    def source(thing: str, stack: str) -> Set[Cell]:
        on_counters = {cell for cell, what in lying.items() if what == thing and cell in near}
        return (on_counters if own_pots else set()) or _of(layout, near, stack)

    hot = sum(pot.onions == FULL for pot in kitchen.pots)
    missing = sum(FULL - pot.onions for pot in kitchen.pots)
    soups = {cell for cell, what in lying.items() if what == SOUP and cell in near and _of(layout, near, HATCH)}
    held = [cook.holds for cook in kitchen.cooks]
    if soups:
        return soups
    if hot > (held if own_pots else stock).count(PLATE) and (plates := source(PLATE, PLATES)):
        return plates
    if missing > (held if own_pots else stock).count(ONION) and (onions := source(ONION, ONIONS)):
        return onions
    return set()


def _of(layout: Layout, cells: Set[Cell], kind: str) -> set[Cell]:
    return {cell for cell in cells if layout.at(cell) == kind}


def _reached(layout: Layout, start: Cell) -> set[Cell]:
    """All floor that can be walked to."""
    seen, waiting = {start}, [start]
    for cell in waiting:
        for other in _around(cell):
            if other not in seen and layout.at(other) == FLOOR:
                seen.add(other)
                waiting.append(other)
    return seen


def _beside(layout: Layout, floor: Set[Cell]) -> set[Cell]:
    """What can be faced from this floor."""
    return {other for cell in floor for other in _around(cell) if layout.at(other) != FLOOR}


def _other_side(layout: Layout, counter: Cell, here: Set[Cell]) -> bool:
    """Whether a counter can be faced from another room too."""
    rows, columns = len(layout.rows), len(layout.rows[0])
    return any(
        0 <= row < rows and 0 <= column < columns and layout.at((row, column)) == FLOOR and (row, column) not in here
        for row, column in _around(counter)
    )


def _around(cell: Cell) -> list[Cell]:
    return [(cell[0] + down, cell[1] + right) for down, right in DIRECTIONS.values()]


def _step(layout: Layout, start: Cell, goals: Set[Cell], taken: Collection[Cell]) -> str | None:
    """The first direction of a shortest way to face a goal, or None where there is none."""
    came: dict[Cell, str | None] = {start: None}
    waiting = [start]
    for cell in waiting:
        for name, (down, right) in DIRECTIONS.items():
            ahead = (cell[0] + down, cell[1] + right)
            first = came[cell] or name
            if ahead in goals:
                return first
            if ahead not in came and ahead not in taken and layout.at(ahead) == FLOOR:
                came[ahead] = first
                waiting.append(ahead)
    return None
