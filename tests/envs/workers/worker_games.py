"""Games that misbehave on demand. Worker processes import this module by its name, so it stands apart from tests."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from turnwise.envs.core import EnvFailure, IllegalAction, Step, TextGame, Unsupported

ACTIONS = ("add", "hang", "die", "crash", "fail", "exit", "unsendable", "stop")


class Lab(TextGame):
    """One seat adds up: each `add` draws a digit and pays a tenth of it. The other actions go wrong."""

    seats = ("player_0",)
    utility_bounds = (0.0, 100.0)
    dense_rewards = True
    can_clone = has_anchor = has_board = has_ground_truth = has_secrets = has_solution = True
    levels = ("easy", "hard")

    def __init__(self, *, at_start: str = "", log: str = "", level: str = "easy", honest: bool = True) -> None:
        if level not in self.levels:
            raise ValueError(f"level is easy or hard: got {level!r}")
        self.at_start, self.log, self.chosen, self.honest = at_start, log, level, honest

    def start(self, rng: np.random.Generator) -> None:
        self.rng, self.total, self.turns, self.seat = rng, int(rng.integers(100)), 0, "player_0"
        self.task, self.level = f"task {self.total}", self.chosen
        self.unread = True
        self._misbehave(self.at_start)

    def observe(self, seat: str) -> str:
        text, self.unread = f"turn {self.turns}: {self.total}" if self.unread else "", False
        return text

    def legal(self) -> Sequence[str]:
        return ACTIONS if self.honest else (*ACTIONS, str(os.getpid()))

    def play(self, action: str) -> Step:
        if action not in ACTIONS:
            raise IllegalAction(f"{action[:20]!r} is not known")
        self._misbehave(action)
        if action == "stop":
            self.seat, self.unread = None, True
            return Step({}, terminated=True)
        digit = int(self.rng.integers(10))
        self.total, self.turns, self.unread = self.total + digit, self.turns + 1, True
        info = {"odd": lambda: None} if action == "unsendable" else {"digit": digit}
        return Step({"player_0": digit / 10}, info=info)

    def _misbehave(self, how: str) -> None:
        if how == "hang":
            time.sleep(60)
        if how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "crash":
            raise KeyError("door")
        if how == "fail":
            raise EnvFailure("the lab has no water")
        if how == "exit":
            raise SystemExit(3)

    def clone(self) -> Self:
        twin = type(self)()
        twin.__dict__.update(self.__dict__)
        twin.rng = np.random.Generator(type(self.rng.bit_generator)())
        twin.rng.bit_generator.state = self.rng.bit_generator.state
        return twin

    def board(self, seat: str) -> str:
        return f"total {self.total}\nturns {self.turns}"

    def anchor(self) -> str:
        return str(self.total)

    def ground_truth(self) -> str:
        return str(self.total)

    def secrets(self, seat: str) -> tuple[str, ...]:
        return (str(self.total),)

    def solution(self) -> tuple[str, ...]:
        if self.turns > 2:
            raise Unsupported("the lab knows no way out")
        return ("add", "stop")

    def lead_in(self) -> str:
        return f"{self.total} "

    def close(self) -> None:
        if self.log:
            with Path(self.log).open("a") as file:
                file.write("closed\n")


class Talk(TextGame):
    """Two seats say one free text each, drawn by the caller's generator."""

    seats = ("player_0", "player_1")

    def start(self, rng: np.random.Generator) -> None:
        self.seat, self.said = "player_0", {seat: ["begin"] for seat in self.seats}

    def observe(self, seat: str) -> str:
        text, self.said[seat] = "\n".join(self.said[seat]), []
        return text

    def legal(self) -> None:
        return None

    def sample_action(self, rng: np.random.Generator) -> str:
        return "well " * int(rng.integers(1, 9))

    def play(self, action: str) -> Step:
        for said in self.said.values():
            said.append(f"{self.seat}: {action}")
        self.seat = "player_1" if self.seat == "player_0" else None
        return Step({"player_0": 0.5}, terminated=self.seat is None)
