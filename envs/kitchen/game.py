"""`KitchenGame`: two to four cooks serve onion soup together."""

from __future__ import annotations

import copy
from math import ceil
from typing import Any, Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, bracketed, need_legal, need_seat, one_of, whole
from turnwise.envs.core import Step, TextGame
from turnwise.envs.kitchen.layouts import DRAWINGS, layout_of
from turnwise.envs.kitchen.rules import ACTIONS, FULL, Events, opening, tick
from turnwise.envs.kitchen.texts import FILLED, SERVED, TAKEN, rules, short, shown, told

USES = 2 * FULL + 3
"""Interactions that a served soup takes: every onion taken and put in, plate, soup, hatch."""


class KitchenGame(TextGame):
    """A cooperative kitchen in the manner of Overcooked: all seats move at once and get the same rewards.

    In every tick each seat chooses north, south, east, west, interact or stay, and sees nothing of the others' choices
    before all have chosen. Three onions in a pot cook for `cook_time` ticks; the soup is taken with a plate and served
    at the hatch. Interactions come first (lower seats before higher ones), then moves: of cooks that want one cell none
    moves, of two that want to swap none, nobody enters the cell of a cook that stays. The game stops (truncated) after
    `ticks` ticks. Who starts where is drawn.
    Reward, to every seat: 20 for a soup served; with `shaped=True` also 3 for an onion put into a pot and 5 for a soup
    taken out of one. The highest return given in `utility_bounds` counts interactions alone, so that walking keeps
    every team below it.
    """

    simultaneous = True
    dense_rewards = True
    can_clone = has_anchor = has_board = True

    def __init__(
        self,
        *,
        layout: str = "cramped",
        players: int = 2,
        ticks: int = 60,
        cook_time: int = 5,
        shaped: bool = False,
        shuffle_starts: bool = True,
        prompt: str = "full",
    ) -> None:
        """layout: cramped, ring, split, pass or hall. players (2 to 4), ticks (1 to 10000), cook_time (ticks,
        1 to 100). shuffle_starts: draw who stands where. Raises ValueError.
        """
        self.layout = layout_of(one_of("layout", layout, tuple(DRAWINGS)))
        self.task = layout
        self.seats = tuple(f"player_{seat}" for seat in range(whole("players", players, 2, 4)))
        self.ticks = whole("ticks", ticks, 1, 10_000)
        self.cook_time = whole("cook_time", cook_time, 1, 100)
        self.utility_bounds = (0.0, float(self._most(shaped)))
        self._shaped, self._shuffles = shaped, shuffle_starts
        self._compact = one_of("prompt", prompt, PROMPTS) == "compact"

    def start(self, rng: np.random.Generator) -> None:
        count = len(self.seats)
        order = rng.permutation(count).tolist() if self._shuffles else range(count)
        self._kitchen = opening(self.layout, [self.layout.starts[i] for i in order])
        self._chosen: list[str] = []
        self._ticks = self._points = self._served = 0
        self._news = rules(count, self.ticks, self.cook_time, self._shaped)
        self._unread = dict.fromkeys(self.seats, True)
        self.seat = self.seats[0]

    def observe(self, seat: str) -> str:
        need_seat(seat, self.seats)
        if not self._unread[seat]:
            return ""
        self._unread[seat] = False
        which = self.seats.index(seat)
        if self._compact:
            now = f"tick {self._ticks + 1} of {self.ticks}" if self.seat else f"over {self._points}"
            return f"{now}\n{short(self.layout, self._kitchen, which)}"
        return f"{self._news}\n{self.board(seat)}"

    def legal(self) -> tuple[str, ...]:
        """The six actions, always."""
        return ACTIONS if self.seat else ()

    def play(self, action: str) -> Step:
        need_legal(action, self.legal(), self.seat, f"choose one of {bracketed(ACTIONS)}")
        self._chosen.append(action)
        if len(self._chosen) < len(self.seats):
            self.seat = self.seats[len(self._chosen)]
            return Step({})
        return self._tick()

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def anchor(self) -> str:
        """The kitchen as the seat to act reads it; the clock is left out."""
        return shown(self.layout, self._kitchen, self.seats.index(self.seat or self.seats[0]))

    def board(self, seat: str) -> str:
        clock = f"Tick {self._ticks + 1} of {self.ticks}." if self.seat else self._ending()
        return f"{shown(self.layout, self._kitchen, self.seats.index(seat))}\n{clock}"

    def _tick(self) -> Step:
        """Everybody has chosen: let it happen."""
        actions, self._chosen = self._chosen, []
        self._kitchen, events = tick(self.layout, self._kitchen, actions, self.cook_time)
        points = self._worth(events)
        self._ticks += 1
        self._points += points
        self._served += events.served
        over = self._ticks == self.ticks
        self.seat = None if over else self.seats[0]
        self._news = told(actions, events.served, self._points)
        self._unread = dict.fromkeys(self.seats, True)
        info: dict[str, Any] = {"soups": self._served, **events._asdict()}
        return Step(dict.fromkeys(self.seats, float(points)), truncated=over, info=info)

    def _worth(self, events: Events) -> int:
        shaped = FILLED * events.filled + TAKEN * events.taken if self._shaped else 0
        return SERVED * events.served + shaped

    def _most(self, shaped: bool) -> int:
        """No team gets more: all interactions go into soups, and with shaped rewards all pots are full at the end."""
        uses = len(self.seats) * self.ticks
        if not shaped:
            return SERVED * (uses // USES)
        return (SERVED + TAKEN + FULL * FILLED) * ceil(uses / USES) + FULL * FILLED * len(self.layout.pots)

    def _ending(self) -> str:
        return f"The game is over after {self.ticks} ticks. Soups served: {self._served}. Points: {self._points}."
