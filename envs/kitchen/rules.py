"""What one tick of the kitchen does: a pure function of the state and everybody's action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from turnwise.envs.kitchen.layouts import COUNTER, DIRECTIONS, FLOOR, HATCH, ONIONS, PLATES, POT, Cell, Layout

ACTIONS = (*DIRECTIONS, "interact", "stay")
ONION, PLATE, SOUP = "onion", "plate", "soup"
FULL = 3
"""Onions in a soup."""


class Cook(NamedTuple):
    """One cook."""

    cell: Cell
    facing: str
    """A key of `DIRECTIONS`."""
    holds: str | None = None


class Pot(NamedTuple):
    """One pot. It cooks by itself as soon as it is full."""

    onions: int = 0
    left: int = 0
    """Ticks until the soup of a full pot is done."""

    @property
    def done(self) -> bool:
        """Whether a soup can be taken out."""
        return self.onions == FULL and self.left == 0


class Kitchen(NamedTuple):
    """All that changes."""

    cooks: tuple[Cook, ...]
    pots: tuple[Pot, ...]
    """In the order of the layout's."""
    counters: tuple[tuple[Cell, str], ...] = ()
    """What lies on counters, in the order of the cells."""


class Events(NamedTuple):
    """How often what is worth a reward has happened in a tick."""

    filled: int = 0
    """Onions put into pots."""
    taken: int = 0
    """Soups taken out of pots."""
    served: int = 0


def opening(layout: Layout, starts: Sequence[Cell]) -> Kitchen:
    """The kitchen at the start: cooks face south with empty hands."""
    return Kitchen(tuple(Cook(cell, "south") for cell in starts), (Pot(),) * len(layout.pots))


def tick(layout: Layout, kitchen: Kitchen, actions: Sequence[str], cook_time: int) -> tuple[Kitchen, Events]:
    """Everybody acts at once. First who interacts does so, lower seats first; then who moves turns and moves; then
    pots that were full before the tick cook on by one tick.
    """
    cooking = [pot.onions == FULL for pot in kitchen.pots]
    events = Events()
    for seat, action in enumerate(actions):
        if action == "interact":
            kitchen, new = _interact(layout, kitchen, seat, cook_time)
            events = Events(*(old + more for old, more in zip(events, new, strict=True)))
    cooks = _move(layout, kitchen.cooks, actions)
    pots = tuple(
        pot._replace(left=max(0, pot.left - 1)) if hot else pot for pot, hot in zip(kitchen.pots, cooking, strict=True)
    )
    return kitchen._replace(cooks=cooks, pots=pots), events


def faced(cook: Cook) -> Cell:
    """The cell in front of a cook."""
    down, right = DIRECTIONS[cook.facing]
    return cook.cell[0] + down, cook.cell[1] + right


def _move(layout: Layout, cooks: tuple[Cook, ...], actions: Sequence[str]) -> tuple[Cook, ...]:
    """Cooks turn, and step where floor is. Of cooks that want one cell none moves, of two that want to swap none, nor
    who wants the cell of a cook that stays. A cell that is being left can be entered in the same tick.
    """
    cooks = tuple(
        cook._replace(facing=act) if act in DIRECTIONS else cook for cook, act in zip(cooks, actions, strict=True)
    )
    wanted = [
        faced(cook) if act in DIRECTIONS and layout.at(faced(cook)) == FLOOR else cook.cell
        for cook, act in zip(cooks, actions, strict=True)
    ]
    while True:
        blocked = [
            mover
            for mover, cell in enumerate(wanted)
            if cell != cooks[mover].cell
            and any(
                other != mover
                and (wanted[other] == cell or (wanted[other], cooks[other].cell) == (cooks[mover].cell, cell))
                for other in range(len(cooks))
            )
        ]
        if not blocked:
            return tuple(cook._replace(cell=cell) for cook, cell in zip(cooks, wanted, strict=True))
        for mover in blocked:
            wanted[mover] = cooks[mover].cell


def _interact(layout: Layout, kitchen: Kitchen, seat: int, cook_time: int) -> tuple[Kitchen, Events]:
    """What one cook does with the thing in front: nothing where nothing fits."""
    cook = kitchen.cooks[seat]
    cell = faced(cook)
    kind = layout.at(cell)
    if kind == POT:
        return _use_pot(layout, kitchen, seat, layout.pots.index(cell), cook_time)
    if kind == HATCH and cook.holds == SOUP:
        return _hold(kitchen, seat, None), Events(served=1)
    if kind in (ONIONS, PLATES) and cook.holds is None:
        return _hold(kitchen, seat, ONION if kind == ONIONS else PLATE), Events()
    if kind == COUNTER:
        lying = dict(kitchen.counters)
        on_counter, in_hand = lying.pop(cell, None), cook.holds
        if (on_counter is None) != (in_hand is None):
            if in_hand is not None:
                lying[cell] = in_hand
            kitchen = kitchen._replace(counters=tuple(sorted(lying.items())))
            return _hold(kitchen, seat, on_counter), Events()
    return kitchen, Events()


def _use_pot(layout: Layout, kitchen: Kitchen, seat: int, which: int, cook_time: int) -> tuple[Kitchen, Events]:
    pot, holds = kitchen.pots[which], kitchen.cooks[seat].holds
    if holds == ONION and pot.onions < FULL:
        onions = pot.onions + 1
        now = Pot(onions, cook_time if onions == FULL else 0)
        return _hold(_with_pot(kitchen, which, now), seat, None), Events(filled=1)
    if holds == PLATE and pot.done:
        return _hold(_with_pot(kitchen, which, Pot()), seat, SOUP), Events(taken=1)
    return kitchen, Events()


def _hold(kitchen: Kitchen, seat: int, thing: str | None) -> Kitchen:
    cooks = list(kitchen.cooks)
    cooks[seat] = cooks[seat]._replace(holds=thing)
    return kitchen._replace(cooks=tuple(cooks))


def _with_pot(kitchen: Kitchen, which: int, pot: Pot) -> Kitchen:
    return kitchen._replace(pots=(*kitchen.pots[:which], pot, *kitchen.pots[which + 1 :]))
