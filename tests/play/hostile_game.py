"""A game all of whose texts try to do something to whoever shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from turnwise.envs.core import IllegalAction, Step, TextGame

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07 [bold red]red[/] [link=file:///etc/passwd]x[/link] \u202eltr\u202c \x9b31m \r\x08 "
    "[@click=app.quit]quit[/] <img src=x onerror=alert(1)><script>alert(2)</script> \u2028"
)
SHOWN = "<1B>[2J<1B>]0;owned<07> [bold red]red[/] [link=file:///etc/passwd]x[/link] <202E>ltr<202C> <9B>31m <0D><08> "
MOVE = "go [/bold] \x1b[31m <b>left</b>"


class HostileGame(TextGame):
    """Two turns of one seat; the second takes any text."""

    seats = ("player_0",)
    has_board = True

    def start(self, rng: np.random.Generator) -> None:
        self.turns = 0
        self.seat = "player_0"

    def observe(self, seat: str) -> str:
        return f"observation {HOSTILE}"

    def board(self, seat: str) -> str:
        return f"board {HOSTILE}"

    def legal(self) -> tuple[str, ...] | None:
        return (MOVE, "right") if self.turns == 0 else None

    def play(self, action: str) -> Step:
        if self.turns and action == "refuse":
            raise IllegalAction(f"reason {HOSTILE}")
        self.turns += 1
        if self.turns == 2:
            self.seat = None
        return Step({"player_0": 1.0 if self.turns == 2 else 0.0}, self.turns == 2)

    def sample_action(self, rng: np.random.Generator) -> str:
        return "right"

    def tools(self) -> tuple[Mapping[str, Any], ...]:
        return ({"name": f"tool {HOSTILE}", "description": HOSTILE, "parameters": {"properties": {HOSTILE: {}}}},)
