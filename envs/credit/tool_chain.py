"""`ToolChain`: look something up, look up what it led to, answer."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, SOLO, bracketed, need_legal, need_seat, one_of, whole
from turnwise.envs.core import Step, TextGame
from turnwise.envs.puzzles.purse import Purse

PEOPLE = ("ada", "ben", "cleo", "dan", "eve")
ROOMS = ("attic", "cellar", "garden", "hall", "study")
IDLE = "weather"
"""The tool that is no use."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many people, badges and rooms there are, and how many turns."""

    people: int
    turns: int


LEVELS = {"easy": Size(2, 4), "medium": Size(3, 4), "hard": Size(5, 5)}


class ToolChain(TextGame):
    """Everybody has one badge, every badge opens one room, both drawn uniformly: which room does a person's open?

    Three kinds of tools: `badge NAME` tells a badge, `room NUMBER` tells a room, `weather` is no use; other people's
    badges and rooms tell little. `answer ROOM` may come at any turn and ends the game, as does the last turn.
    Reward: 1 for the right answer, else 0. With `dense=True` a quarter of it is paid for looking up the person's
    badge, and another for looking up what it opens; the right answer brings the sum to 1 either way. Optimum: 1, in
    three turns.
    """

    seats = SOLO
    utility_bounds = (0.0, 1.0)
    can_clone = has_anchor = has_board = has_ground_truth = has_solution = True
    levels = tuple(LEVELS)

    def __init__(
        self,
        *,
        level: str = "easy",
        people: int | None = None,
        turns: int | None = None,
        dense: bool = False,
        prompt: str = "full",
    ) -> None:
        """people (2 to 5), turns (3 to 20): in place of the level's. Raises ValueError."""
        usual = LEVELS[one_of("level", level, self.levels)]
        self.settings = Size(
            whole("people", usual.people if people is None else people, 2, len(PEOPLE)),
            whole("turns", usual.turns if turns is None else turns, 3, 20),
        )
        self.level = level if self.settings == usual else None
        self.dense_rewards = dense
        self._compact = one_of("prompt", prompt, PROMPTS) == "compact"
        count = self.settings.people
        self._numbers = tuple(str(number) for number in range(1, count + 1))
        lookups = [f"badge {name}" for name in PEOPLE[:count]] + [f"room {number}" for number in self._numbers]
        self._names = (*lookups, IDLE, *(f"answer {room}" for room in ROOMS[:count]))

    def start(self, rng: np.random.Generator) -> None:
        count = self.settings.people
        self._asked = PEOPLE[int(rng.integers(count))]
        self._badges = {PEOPLE[i]: self._numbers[j] for i, j in enumerate(rng.permutation(count).tolist())}
        self._rooms = {self._numbers[i]: ROOMS[j] for i, j in enumerate(rng.permutation(count).tolist())}
        self._known: dict[str, str] = {}
        self._left = self.settings.turns
        self._purse = Purse()
        self._news = self._rules()
        self._unread = True
        self.seat = SOLO[0]

    def observe(self, seat: str) -> str:
        need_seat(seat, self.seats)
        if not self._unread:
            return ""
        self._unread = False
        return self._compact_text() if self._compact else self._news

    def legal(self) -> tuple[str, ...]:
        """Every look-up, also those that were made, and every answer."""
        return self._names if self.seat else ()

    def play(self, action: str) -> Step:
        need_legal(action, self.legal(), self.seat, "use a tool or answer, as the rules list them")
        kind, _, key = action.partition(" ")
        self._left -= 1
        self._unread = True
        if kind == "answer":
            return self._answered(key)
        self._news = self._look_up(kind, key)
        over = self._left == 0
        if over:
            self.seat = None
            self._news += f" The game is over: no turn is left. {self._truth()}"
        else:
            self._news += f" Turns left: {self._left}."
        reward = self._purse.pay(self._progress()) if self.dense_rewards else 0.0
        return Step({SOLO[0]: reward}, terminated=over)

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def ground_truth(self) -> str:
        """The room."""
        return self._rooms[self._badges[self._asked]]

    def anchor(self) -> str:
        """The question, what is known, in a fixed order, and the turns that are left."""
        known = " ".join(f"{key}={value}" for key, value in sorted(self._known.items()))
        return f"{self.settings.people} {self._asked} {self._left} {known}".strip()

    def board(self, seat: str) -> str:
        need_seat(seat, self.seats)
        told = [self._told(key) for key in self._known]
        return "\n".join([f"Which room does {self._asked}'s badge open? Turns left: {self._left}.", *told])

    def solution(self) -> tuple[str, ...]:
        """The look-ups that are missing, then the answer; with too few turns, the first room that is still possible."""
        if self.seat is None:
            return ()
        badge, numbers = self._badges[self._asked], self._candidates()
        plan: list[str] = []
        if len(self._possible(numbers)) > 1 and len(numbers) > 1:
            plan, numbers = [f"badge {self._asked}"], [badge]
        if len(self._possible(numbers)) > 1:
            plan.append(f"room {badge}")
        if len(plan) < self._left:
            return (*plan, f"answer {self.ground_truth()}")
        return (f"answer {self._possible(self._candidates())[0]}",)

    def _answered(self, room: str) -> Step:
        right = room == self.ground_truth()
        self.seat = None
        self._news = f"{'Right' if right else 'Wrong'}. The game is over. {self._truth()}"
        return Step({SOLO[0]: self._purse.pay(1.0) if right else 0.0}, terminated=True)

    def _look_up(self, kind: str, key: str) -> str:
        if kind == IDLE:
            return "It rains."
        self._known[key] = self._badges[key] if kind == "badge" else self._rooms[key]
        return self._told(key)

    def _told(self, key: str) -> str:
        value = self._known[key]
        return f"{key} has badge {value}." if key in self._badges else f"Badge {key} opens the {value}."

    def _progress(self) -> float:
        return (self._asked in self._known) / 4 + (self._badges[self._asked] in self._known) / 4

    def _candidates(self) -> list[str]:
        """Badges that the person may have, by what is known."""
        if self._asked in self._known:
            return [self._known[self._asked]]
        others = {self._known[name] for name in self._badges if name in self._known}
        return [number for number in self._numbers if number not in others]

    def _possible(self, numbers: list[str]) -> list[str]:
        """Rooms that one of these badges may open, by what is known, in a fixed order."""
        seen = {self._known[number] for number in self._numbers if number in self._known}
        found = {self._known[number] for number in numbers if number in self._known}
        unseen = any(number not in self._known for number in numbers)
        return [room for room in ROOMS[: self.settings.people] if room in found or (unseen and room not in seen)]

    def _truth(self) -> str:
        return f"{self._asked}'s badge opens the {self.ground_truth()}."

    def _rules(self) -> str:
        return (
            f"In a house everybody has one badge, and every badge opens one room. People: "
            f"{', '.join(PEOPLE[: self.settings.people])}. Badges: {', '.join(self._numbers)}. Rooms: "
            f"{', '.join(ROOMS[: self.settings.people])}.\nWhich room does {self._asked}'s badge open? You have "
            f"{self.settings.turns} turns. A tool takes one, and so does the answer, which ends the game.\n"
            f"Answer with one of these in square brackets: {bracketed(self._names)}."
        )

    def _compact_text(self) -> str:
        if self.seat is None:
            return f"over {self.ground_truth()}"
        known = " ".join(f"{key} {value}" for key, value in sorted(self._known.items()))
        return f"{self._asked} left {self._left} {known}".strip()
