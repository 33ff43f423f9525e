"""`Sokoban`: push every box onto a target."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, SOLO, bracketed, need_legal, need_seat, one_of, whole
from turnwise.envs.core import Step, TextGame, Unsupported
from turnwise.envs.puzzles.purse import Purse
from turnwise.envs.puzzles.sokoban_generate import Size, generate
from turnwise.envs.puzzles.sokoban_rules import MOVES, OPPOSITE, drawn, moved, on_target
from turnwise.envs.puzzles.sokoban_solve import solve

LEVELS = {"easy": Size(6, 6, 1, 3, 40), "medium": Size(7, 7, 2, 6, 100), "hard": Size(9, 9, 3, 12, 200)}
WAYS = 3
"""Fewest turns per box and per cell of height and width; with fewer, hardly any room has a plan short enough."""
SEARCHED = 20_000
"""Positions that `solution` looks at where play has left the plan; rooms of one or two boxes rarely have more."""


class Sokoban(TextGame):
    """Sokoban in rooms that are made by playing backwards from the solved position, so that all can be solved.

    The player steps up, down, left or right and pushes a box that is in the way; two boxes, or a box against a wall,
    cannot be pushed, and a move that changes nothing is not legal. The game ends when every box is on a target. A
    position that can no longer be solved is not told: the game stops (truncated) after `turns` moves.
    Reward, `dense=True`: the share of the boxes that are on targets, paid as it changes (a box pushed off takes its
    part back); `dense=False`: 1 when solved, else 0. Optimum: 1 either way.
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
        boxes: int | None = None,
        turns: int | None = None,
        dense: bool = True,
        prompt: str = "full",
    ) -> None:
        """height, width (6 to 20, the border of walls included), boxes (1 to 6, one per 9 inner cells), turns (at
        least three per box and cell of height and width, so that there are rooms enough; to 5000): in place of the
        level's. Raises ValueError.
        """
        usual = LEVELS[one_of("level", level, self.levels)]
        high = whole("height", usual.height if height is None else height, 6, 20)
        wide = whole("width", usual.width if width is None else width, 6, 20)
        many = whole("boxes", usual.boxes if boxes is None else boxes, 1, min(6, (high - 2) * (wide - 2) // 9))
        pushes = usual.pushes if many == usual.boxes else 2 * many
        least = WAYS * many * (high + wide)
        at_most = max(least, usual.turns if many == usual.boxes else 60 * many)
        last = whole("turns", at_most if turns is None else turns, least, 5000)
        self.settings = Size(high, wide, many, pushes, last)
        self.level = level if self.settings == usual else None
        self.dense_rewards = dense
        self._compact = one_of("prompt", prompt, PROMPTS) == "compact"

    def start(self, rng: np.random.Generator) -> None:
        made = generate(self.settings, rng)
        self._room, self._position = made.room, made.start
        self._plan: tuple[str, ...] | None = made.plan
        self._moves = 0
        self._purse = Purse()
        self._news = self._rules()
        self._unread = True
        self._legal: tuple[str, ...] | None = None
        self.seat = SOLO[0]

    def observe(self, seat: str) -> str:
        need_seat(seat, self.seats)
        if not self._unread:
            return ""
        self._unread = False
        if self._compact:
            return drawn(self._room, self._position) + ("" if self.seat else f"\nover {self._on()} of {self._boxes()}")
        if self.seat is None:
            return f"{self._news}\n{drawn(self._room, self._position)}"
        return f"{self._news}\n{self.board(seat)}\nLegal moves: {bracketed(self.legal())}"

    def legal(self) -> tuple[str, ...]:
        """The moves that change something."""
        if self.seat is None:
            return ()
        if self._legal is None:
            self._legal = tuple(move for move in MOVES if moved(self._room, self._position, move))
        return self._legal

    def play(self, action: str) -> Step:
        need_legal(action, self.legal(), self.seat, f"the legal moves are {bracketed(self.legal())}")
        before, after = self._position, moved(self._room, self._position, action)
        if after is None:
            raise AssertionError("a legal move changes the position")
        pushed = after.boxes != before.boxes
        self._keep_plan(action, pushed)
        self._position, self._legal, self._unread = after, None, True
        self._moves += 1
        solved = self._on() == self._boxes()
        stopped = not solved and self._moves >= self.settings.turns
        self._news = f"You {'push a box' if pushed else 'step'} {action}."
        if solved or stopped:
            self.seat = None
            why = "all boxes are on targets" if solved else f"the {self.settings.turns} moves are used up"
            self._news += f" The game is over: {why}."
        reward = self._purse.pay(self._on() / self._boxes() if self.dense_rewards else float(solved))
        return Step({SOLO[0]: reward}, terminated=solved, truncated=stopped, info={"boxes_on_targets": self._on()})

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def anchor(self) -> str:
        """The drawing; how many moves were made is left out."""
        return drawn(self._room, self._position)

    def board(self, seat: str) -> str:
        room, position = self._room, self._position
        return (
            f"{drawn(room, position)}\n"
            f"You stand at {_places(room.place(position.player))}. "
            f"Boxes: {_places(*map(room.place, sorted(position.boxes)))}. "
            f"Targets: {_places(*map(room.place, sorted(room.targets)))}. "
            f"Moves left: {self.settings.turns - self._moves}."
        )

    def solution(self) -> tuple[str, ...]:
        """Moves that solve the room from here. Raises Unsupported where none are known: play has left the plan by a
        push, and the position cannot be solved any more or is too large to search.
        """
        if self.seat is None:
            return ()
        if self._plan is None:
            try:
                self._plan = solve(self._room, self._position, most=SEARCHED)
            except OverflowError as error:
                raise Unsupported(f"Sokoban has no solution for this position: {error}") from None
        if self._plan is None:
            raise Unsupported("Sokoban has no solution for this position: it cannot be solved any more")
        return self._plan

    def _keep_plan(self, action: str, pushed: bool) -> None:
        """A plan that is followed gets shorter, a step aside is taken back first, and a push aside ends it."""
        if self._plan is None:
            return
        if self._plan and self._plan[0] == action:
            self._plan = self._plan[1:]
        else:
            self._plan = None if pushed else (OPPOSITE[action], *self._plan)

    def _on(self) -> int:
        return on_target(self._room, self._position)

    def _boxes(self) -> int:
        return len(self._room.targets)

    def _rules(self) -> str:
        return (
            "This is Sokoban. Push every box onto a target. You step up, down, left or right; stepping against a box "
            "pushes it on if the cell behind it is free. You cannot pull, nor push two boxes at once. "
            f"You have {self.settings.turns} moves.\n"
            "In the drawing # is a wall, - floor, . a target, $ a box, * a box on a target, @ you, + you on a target. "
            "Places are given as (row, column), both from 1 at the top left.\n"
            "Answer with a move in square brackets, for example [up]."
        )


def _places(*places: tuple[int, int]) -> str:
    return ", ".join(f"({row}, {column})" for row, column in places)
