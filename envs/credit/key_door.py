"""`KeyDoor`: find the key in a maze, then the door."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, SOLO, bracketed, need_legal, need_seat, one_of, whole
from turnwise.envs.core import Step, TextGame
from turnwise.envs.credit.maze import STEPS, Room, beside, draw_maze, make_maze
from turnwise.envs.puzzles.purse import Purse

TAKE, OPEN = "take key", "open door"
TOLD = {TAKE: "You take the key.", OPEN: "You open the door: you are out."}


@dataclass(frozen=True, slots=True)
class Size:
    """Rows and columns of rooms, and how many turns the lamp burns."""

    height: int
    width: int
    turns: int


LEVELS = {"easy": Size(2, 3, 20), "medium": Size(3, 3, 30), "hard": Size(4, 4, 50)}


class KeyDoor(TextGame):
    """A maze of rooms, drawn at random, with a key in one of them and a locked door in another.

    The seat walks north, east, south or west where there is a passage, takes the key where it lies, and opens the door
    where it is, with the key. That ends the game, and so does the last turn.
    Reward: 1 for opening the door, else 0; with `dense=True` half of it is paid for taking the key. Optimum: 1, for
    mazes that need more turns than there are are not drawn.
    """

    seats = SOLO
    utility_bounds = (0.0, 1.0)
    can_clone = has_anchor = has_board = has_solution = True
    levels = tuple(LEVELS)

    def __init__(
        self,
        *,
        level: str = "easy",
        height: int | None = None,
        width: int | None = None,
        turns: int | None = None,
        dense: bool = False,
        prompt: str = "full",
    ) -> None:
        """height (1 to 8), width (3 to 8), turns (height + width + 2 to 500): in place of the level's. Raises
        ValueError.
        """
        usual = LEVELS[one_of("level", level, self.levels)]
        high = whole("height", usual.height if height is None else height, 1, 8)
        wide = whole("width", usual.width if width is None else width, 3, 8)
        last = whole("turns", max(usual.turns, 2 * high * wide) if turns is None else turns, high + wide + 2, 500)
        self.settings = Size(high, wide, last)
        self.level = level if self.settings == usual else None
        self.dense_rewards = dense
        self._compact = one_of("prompt", prompt, PROMPTS) == "compact"

    def start(self, rng: np.random.Generator) -> None:
        self._left = self.settings.turns
        self._draw(rng)
        while len(self._plan()) > self.settings.turns:
            self._draw(rng)
        self._purse = Purse()
        self._news = self._rules()
        self._unread = True
        self.seat = SOLO[0]

    def _draw(self, rng: np.random.Generator) -> None:
        """A maze, and different rooms for the seat, the key and the door."""
        self._maze = make_maze(self.settings.height, self.settings.width, rng)
        cells = rng.permutation(self.settings.height * self.settings.width)[:3].tolist()
        places: list[Room] = [(1 + cell // self.settings.width, 1 + cell % self.settings.width) for cell in cells]
        self._place, self._key, self._door = places
        self._held = self._opened = False

    def observe(self, seat: str) -> str:
        need_seat(seat, self.seats)
        if not self._unread:
            return ""
        self._unread = False
        if self._compact:
            return self._compact_text()
        return self._news if self.seat is None else f"{self._news}\n{self.board(seat)}"

    def legal(self) -> tuple[str, ...]:
        """The passages of the room, and what can be done in it."""
        if self.seat is None:
            return ()
        here = [TAKE] if self._place == self._key and not self._held else []
        here += [OPEN] if self._place == self._door and self._held else []
        return (*self._maze.exits(self._place), *here)

    def play(self, action: str) -> Step:
        need_legal(action, self.legal(), self.seat, f"you can choose {bracketed(self.legal())}")
        self._left -= 1
        self._unread = True
        if action in STEPS:
            self._place = beside(self._place, action)
        self._held = self._held or action == TAKE
        self._opened = action == OPEN
        self._news = TOLD.get(action, f"You go {action}.")
        over = self._opened or self._left == 0
        if over:
            self.seat = None
            self._news += "" if self._opened else " The game is over: the lamp has gone out."
        progress = float(self._opened)
        if self.dense_rewards:
            progress = (self._held + self._opened) / 2
        return Step({SOLO[0]: self._purse.pay(progress)}, terminated=over)

    def clone(self) -> Self:
        twin = copy.copy(self)  # the purse is the only attribute that changes in place
        if self.seat is not None:
            twin._purse = copy.copy(self._purse)
        return twin

    def anchor(self) -> str:
        """The drawing and who has the key; how many turns are left is left out."""
        return f"{self._drawn()}\n{'key' if self._held else 'no key'}"

    def board(self, seat: str) -> str:
        need_seat(seat, self.seats)
        key = "You have the key." if self._held else f"The key is at {self._key}."
        return (
            f"{self._drawn()}\nYou are at {self._place}. {key} The door is at {self._door}. Turns left: {self._left}.\n"
            f"You can choose: {bracketed(self.legal()) or 'nothing'}."
        )

    def solution(self) -> tuple[str, ...]:
        """The shortest way to the key and the door, as far as the turns go."""
        return self._plan()[: self._left] if self.seat else ()

    def _plan(self) -> tuple[str, ...]:
        fetch = () if self._held else (*self._maze.way(self._place, self._key), TAKE)
        leave = (*self._maze.way(self._place if self._held else self._key, self._door), OPEN)
        return (*fetch, *leave)

    def _drawn(self) -> str:
        marks = {self._door: "D"} | ({} if self._held else {self._key: "K"}) | {self._place: "@"}
        return draw_maze(self._maze, marks)

    def _rules(self) -> str:
        return (
            f"You are in a maze of rooms and have a lamp that burns for {self.settings.turns} turns. Take the key, "
            "then open the door with it.\n"
            "In the drawing # is a wall, - floor, @ you, K the key, D the door. Places are given as (row, column), "
            "both from 1 at the top left.\nAnswer with an action in square brackets, for example [north] or [take key]."
        )

    def _compact_text(self) -> str:
        if self.seat is None:
            return f"over {'won' if self._opened else 'lost'}"
        goal = f"door {_pair(self._door)}" if self._held else f"key {_pair(self._key)} door {_pair(self._door)}"
        return f"at {_pair(self._place)} {goal} left {self._left} {' '.join(self.legal())}"


def _pair(room: Room) -> str:
    return f"{room[0]} {room[1]}"
