"""`Crossroads`: two cars choose at once."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np

from turnwise.envs.core import IllegalAction, Step, TextGame

PAYS = {
    ("go", "go"): (-1.0, -1.0),
    ("go", "wait"): (1.0, 0.0),
    ("wait", "go"): (0.0, 1.0),
    ("wait", "wait"): (0.0, 0.0),
}


class Crossroads(TextGame):
    """Both choose [go] or [wait] without seeing the other: who goes alone gets 1, two who go lose 1 each."""

    seats = ("player_0", "player_1")
    simultaneous = can_clone = True

    def __init__(self, *, prompt: str = "full") -> None:
        if prompt not in ("full", "compact"):
            raise ValueError(f"prompt is full or compact: got {prompt!r}")
        self.prompt = prompt

    def start(self, rng: np.random.Generator) -> None:
        self.chosen: list[str] = []
        self.seat = "player_0"
        rules = "" if self.prompt == "compact" else "Who goes alone gets 1; if both go, both lose 1. "
        self.unread = dict.fromkeys(self.seats, f"{rules}A car comes from the other road. [go] or [wait]?")

    def observe(self, seat: str) -> str:
        text, self.unread[seat] = self.unread[seat], ""
        return text

    def legal(self) -> tuple[str, ...]:
        return ("go", "wait") if self.seat else ()

    def play(self, action: str) -> Step:
        if action not in self.legal():
            raise IllegalAction("choose go or wait, while the game lasts")
        self.chosen.append(action)
        if len(self.chosen) == 1:
            self.seat = "player_1"
            return Step({})
        self.seat = None
        self.unread = dict.fromkeys(self.seats, f"You chose {' and '.join(self.chosen)}.")
        pays = PAYS[self.chosen[0], self.chosen[1]]
        return Step(dict(zip(self.seats, pays, strict=True)), terminated=True)

    def clone(self) -> Self:
        return copy.deepcopy(self)
