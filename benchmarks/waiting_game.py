"""A game whose moves take time: what slow tools, websites and simulators look like to a trainer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from turnwise.envs.core import Step, TextGame

ID = "Waiting/Signs-LLM"


class Signs(TextGame):
    """Go where the sign says, `turns` times; every move takes `wait_ms` of time and no processor."""

    seats = ("player_0",)
    utility_bounds = (0.0, 1.0)

    def __init__(self, turns: int = 4, wait_ms: float = 1.0) -> None:
        self.turns, self.wait_ms = turns, wait_ms

    def start(self, rng: np.random.Generator) -> None:
        self._signs = [("left", "right")[int(sign)] for sign in rng.integers(0, 2, self.turns)]
        self._made, self._told, self.seat = 0, -1, "player_0"

    def observe(self, seat: str) -> str:
        if self._told == self._made:
            return ""
        self._told = self._made
        return f"The sign says {self._signs[self._made]}. Reply [left] or [right]."

    def legal(self) -> list[str]:
        return ["left", "right"]

    def play(self, action: str) -> Step:
        time.sleep(self.wait_ms / 1e3)
        right = action == self._signs[self._made]
        self._made += 1
        if self._made == self.turns:
            self.seat = None
        return Step({"player_0": float(right) / self.turns}, terminated=self.seat is None)


@contextmanager
def installed() -> Iterator[str]:
    """A folder for PYTHONPATH that makes the game known to turnwise, as an installed plugin is."""
    with TemporaryDirectory(prefix="turnwise-plugin-") as folder:
        about = Path(folder) / "waiting_game-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: waiting-game\nVersion: 1\nSummary: It waits.\n")
        (about / "entry_points.txt").write_text(f"[turnwise.envs]\n{ID} = waiting_game:Signs\n")
        (Path(folder) / "waiting_game.py").write_text(Path(__file__).read_text())
        yield folder
