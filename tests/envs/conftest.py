"""Three tiny games, so that the views and the referee are tested apart from the real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from turnwise.envs.core import IllegalAction, Step, TextGame


class Duel(TextGame):
    """Two seats, two moves each, `high` or `low`: more highs win +1 / -1. Each holds a secret digit."""

    seats = ("player_0", "player_1")
    zero_sum = True

    def start(self, rng: np.random.Generator) -> None:
        self.seat = "player_0"
        self.moves: list[str] = []
        self.secrets = {seat: int(rng.integers(10)) for seat in self.seats}
        self.unread = {seat: [f"Your secret digit is {self.secrets[seat]}."] for seat in self.seats}

    def observe(self, seat: str) -> str:
        text, self.unread[seat] = "\n".join(self.unread[seat]), []
        return text

    def legal(self) -> Sequence[str]:
        return ("high", "low") if self.seat else ()

    def play(self, action: str) -> Step:
        if action not in ("high", "low"):
            raise IllegalAction(f"{action!r} is not high or low")
        for unread in self.unread.values():
            unread.append(f"{self.seat}: {action}")
        self.moves.append(action)
        if len(self.moves) < 4:
            self.seat = self.seats[len(self.moves) % 2]
            return Step({})
        self.seat = None
        lead = float(np.sign(self.moves[0::2].count("high") - self.moves[1::2].count("high")))
        return Step({"player_0": lead, "player_1": -lead}, terminated=True)


class Guess(TextGame):
    """One seat guesses a digit: 1 for a hit, a quarter back for a miss, and five guesses at most (a limit)."""

    seats = ("player_0",)
    utility_bounds = (-1.25, 1.0)
    dense_rewards = True

    def start(self, rng: np.random.Generator) -> None:
        self.seat, self.guesses, self.answer = "player_0", 0, str(rng.integers(10))
        self.text = "Guess my digit."

    def observe(self, seat: str) -> str:
        text, self.text = self.text, ""
        return text

    def legal(self) -> Sequence[str]:
        return tuple("0123456789")

    def play(self, action: str) -> Step:
        if action not in self.legal():
            raise IllegalAction(f"{action!r} is no digit")
        self.guesses += 1
        hit = action == self.answer
        self.text = "Hit!" if hit else "Miss."
        over = hit or self.guesses == 5
        self.seat = None if over else "player_0"
        return Step({"player_0": 1.0 if hit else -0.25}, terminated=hit, truncated=over and not hit)


class Chat(TextGame):
    """Three seats say one free text each; every word earns its speaker 0.1, at most 1. Swearing is not allowed."""

    seats = ("player_0", "player_1", "player_2")
    utility_bounds = (0.0, 1.0)
    dense_rewards = True

    def start(self, rng: np.random.Generator) -> None:
        self.seat, self.said = "player_0", [""]

    def observe(self, seat: str) -> str:
        return self.said.pop() if self.said else ""

    def legal(self) -> None:
        return None

    def sample_action(self, rng: np.random.Generator) -> str:
        return "well " * int(rng.integers(1, 11))

    def play(self, action: str) -> Step:
        if "damn" in action:
            raise IllegalAction("no swearing")
        speaker = self.seat or ""
        self.said = [f"{speaker} says: {action}"]
        at = self.seats.index(speaker) + 1
        self.seat = self.seats[at] if at < 3 else None
        return Step({speaker: min(1.0, len(action.split()) / 10)}, terminated=self.seat is None)


@pytest.fixture
def duel() -> Duel:
    return Duel()


@pytest.fixture
def guess() -> Guess:
    return Guess()


@pytest.fixture
def chat() -> Chat:
    return Chat()
