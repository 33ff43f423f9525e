"""The kitchen in words."""

from __future__ import annotations

from collections.abc import Sequence

from turnwise.envs.kitchen.layouts import Cell, Layout
from turnwise.envs.kitchen.rules import FULL, Cook, Kitchen, Pot

SERVED, FILLED, TAKEN = 20, 3, 5
"""Points of a soup served; with shaped rewards also of an onion put into a pot and of a soup taken out of one."""


def rules(seats: int, ticks: int, cook_time: int, shaped: bool) -> str:
    """What every seat reads first."""
    more = f" An onion put into a pot earns {FILLED} points, a soup taken out of one {TAKEN}." if shaped else ""
    return (
        f"You are one of {seats} cooks who work together in one kitchen. Put {FULL} onions into a pot: it then cooks "
        f"by itself for {cook_time} ticks. Take the soup out with a plate and bring it to the hatch. Every soup served "
        f"earns every cook {SERVED} points.{more} There are {ticks} ticks.\n"
        "In a tick everybody chooses one of north, south, east, west, interact, stay; all of it happens at once, "
        "interacting before moving. North is up. A direction turns you and moves you if floor is free ahead. Of cooks "
        "who want the same cell none moves, nor do two who want to swap. "
        "interact uses what you face: with empty hands it takes an onion or a plate from its stack, or what lies on a "
        "counter; it puts an onion into a pot, takes a soup with a plate, serves a soup, or lays what you hold on an "
        "empty counter.\n"
        "In the drawing # is a counter, O onions, P a pot, D plates, S the hatch, . floor, and digits are the cooks: "
        "0 is player_0. Places are given as (row, column), both from 1 at the top left.\n"
        "Answer with one action in square brackets, for example [north]."
    )


def drawn(layout: Layout, kitchen: Kitchen) -> str:
    """The drawing with the cooks."""
    signs = [list(row.replace(" ", ".")) for row in layout.rows]
    for seat, cook in enumerate(kitchen.cooks):
        signs[cook.cell[0]][cook.cell[1]] = str(seat)
    return "\n".join("".join(row) for row in signs)


def shown(layout: Layout, kitchen: Kitchen, seat: int) -> str:
    """The whole kitchen as one seat reads it."""
    lines = [drawn(layout, kitchen), f"You are player_{seat}, {_cook(kitchen.cooks[seat])}."]
    lines += [f"player_{i} is {_cook(cook)}." for i, cook in enumerate(kitchen.cooks) if i != seat]
    lines += [f"The pot at {_place(cell)} {_pot(pot)}." for cell, pot in zip(layout.pots, kitchen.pots, strict=True)]
    lines += [f"On the counter at {_place(cell)} lies {_thing(thing)}." for cell, thing in kitchen.counters]
    return "\n".join(lines)


def short(layout: Layout, kitchen: Kitchen, seat: int) -> str:
    """The same in few words: the reader's own cook first, then the others, the pots, the counters."""
    order = [seat, *(i for i in range(len(kitchen.cooks)) if i != seat)]
    words = [
        f"{i} {kitchen.cooks[i].facing[0]} {kitchen.cooks[i].holds or 'empty'}" + (" you" if i == seat else "")
        for i in order
    ]
    words += [f"P {_short_place(cell)} {_short_pot(pot)}" for cell, pot in zip(layout.pots, kitchen.pots, strict=True)]
    words += [f"{thing} {_short_place(cell)}" for cell, thing in kitchen.counters]
    return f"{drawn(layout, kitchen)}\n{', '.join(words)}"


def told(actions: Sequence[str], served: int, points: int) -> str:
    """What happened in the last tick."""
    did = ", ".join(f"player_{seat} {action}" for seat, action in enumerate(actions))
    soups = f" Soups served: {served}." if served else ""
    return f"Last tick: {did}.{soups} Points so far: {points}."


def _cook(cook: Cook) -> str:
    return f"at {_place(cook.cell)}, facing {cook.facing}, holding {_thing(cook.holds) if cook.holds else 'nothing'}"


def _pot(pot: Pot) -> str:
    if pot.done:
        return "holds a soup that is done"
    if pot.onions == FULL:
        return f"cooks; ticks left: {pot.left}"
    return f"holds {pot.onions} of {FULL} onions"


def _short_pot(pot: Pot) -> str:
    if pot.onions < FULL:
        return f"{pot.onions}"
    return "done" if pot.done else f"cooks {pot.left}"


def _thing(thing: str) -> str:
    return f"{'an' if thing == 'onion' else 'a'} {thing}"


def _place(cell: Cell) -> str:
    return f"({cell[0] + 1}, {cell[1] + 1})"


def _short_place(cell: Cell) -> str:
    return f"{cell[0] + 1}.{cell[1] + 1}"
