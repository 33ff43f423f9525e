"""`Game2048`: slide tiles together until one of them is the target."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from math import log2
from typing import Any, Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, SOLO, bracketed, need_legal, need_seat, one_of, whole
from turnwise.envs.core import Step, TextGame
from turnwise.envs.puzzles.purse import Purse
from turnwise.envs.puzzles.tiles import MOVES, Board, empty_cells, largest, put, slide

FOUR = 0.1
"""How often a new tile is a 4; else it is a 2."""


@dataclass(frozen=True, slots=True)
class Size:
    """Cells along a side, and the tile to reach."""

    size: int
    target: int


LEVELS = {"easy": Size(4, 64), "medium": Size(4, 256), "hard": Size(4, 2048)}


class Game2048(TextGame):
    """2048 by the rules of the original (Gabriele Cirulli, 2014).

    A move slides all tiles up, down, left or right; two equal ones that meet merge into their sum, once per move. A
    move that changes nothing is not legal. After every move a 2 (9 times in 10) or a 4 appears in an empty cell drawn
    uniformly; two such tiles lie there at the start. The game ends with the target, or when nothing can be moved.
    Reward: progress, (log2 of the largest tile - 1) / (log2 of the target - 1), so 0 for a 2 and 1 for the target;
    paid at the end, or with `dense=True` as it grows (the same sum). Optimum: 1; the game has chance in it, but good
    play reaches every one of these targets nearly always.
    """

    seats = SOLO
    utility_bounds = (0.0, 1.0)
    can_clone = has_anchor = has_board = True
    levels = tuple(LEVELS)

    def __init__(
        self,
        *,
        level: str = "easy",
        size: int | None = None,
        target: int | None = None,
        dense: bool = False,
        prompt: str = "full",
    ) -> None:
        """size (2 to 8), target (a power of two): in place of the level's. Raises ValueError."""
        usual = LEVELS[one_of("level", level, self.levels)]
        side = whole("size", usual.size if size is None else size, 2, 8)
        goal = whole("target", usual.target if target is None else target, 8, 2 ** min(side * side, 17))
        if goal & (goal - 1):
            raise ValueError(f"target is a power of two, such as 64 or 2048: got {goal}")
        self.settings = Size(side, goal)
        self.level = level if self.settings == usual else None
        self.dense_rewards = dense
        self._compact = one_of("prompt", prompt, PROMPTS) == "compact"

    def start(self, rng: np.random.Generator) -> None:
        self._rng = np.random.default_rng(int(rng.integers(2**63)))
        self._board: Board = ((0,) * self.settings.size,) * self.settings.size
        self._drop()
        self._drop()
        self._score = 0
        self._purse = Purse()
        self._legal: tuple[str, ...] | None = None
        self._news = self._rules()
        self._unread = True
        self.seat = SOLO[0]

    def observe(self, seat: str) -> str:
        need_seat(seat, self.seats)
        if not self._unread:
            return ""
        self._unread = False
        if self._compact:
            return self._compact_text()
        moves = f"\nLegal moves: {bracketed(self.legal())}" if self.seat else ""
        return f"{self._news}\n{self.board(seat)}{moves}"

    def legal(self) -> tuple[str, ...]:
        """The moves that change the board."""
        if self.seat is None:
            return ()
        if self._legal is None:
            self._legal = tuple(move for move in MOVES if slide(self._board, move)[0] != self._board)
        return self._legal

    def play(self, action: str) -> Step:
        need_legal(action, self.legal(), self.seat, f"the legal moves are {bracketed(self.legal())}")
        self._board, points = slide(self._board, action)
        self._score += points
        won = largest(self._board) >= self.settings.target
        if not won:
            self._drop()
        self._legal, self._unread = None, True
        over = won or not self.legal()
        self._news = self._tell(action, points, won, over)
        if over:
            self.seat = None
        reward = self._purse.pay(self._progress()) if over or self.dense_rewards else 0.0
        return Step({SOLO[0]: reward}, terminated=over, info=self._info())

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def anchor(self) -> str:
        return self._rows(" ", "/")

    def board(self, seat: str) -> str:
        width = len(str(self.settings.target))
        rows = ("  ".join((str(tile) if tile else ".").rjust(width) for tile in row) for row in self._board)
        return "\n".join(rows) + f"\nScore: {self._score}"

    def _drop(self) -> None:
        cells = empty_cells(self._board)
        cell = cells[int(self._rng.integers(len(cells)))]
        self._board = put(self._board, cell, 4 if self._rng.random() < FOUR else 2)

    def _progress(self) -> float:
        return (log2(min(largest(self._board), self.settings.target)) - 1) / (log2(self.settings.target) - 1)

    def _info(self) -> dict[str, Any]:
        return {"score": self._score, "largest": largest(self._board)}

    def _rules(self) -> str:
        return (
            f"This is 2048 on a board of {self.settings.size} by {self.settings.size} cells. A move slides all tiles "
            "up, down, left or right as far as they go. Two equal tiles that meet merge into their sum, at most once "
            "per move. After each move a new 2 or, more rarely, a 4 appears in an empty cell. "
            f"You win with a tile of {self.settings.target}; you lose when no move changes the board.\n"
            "Empty cells are shown as dots. Answer with a move in square brackets, for example [up]."
        )

    def _tell(self, action: str, points: int, won: bool, over: bool) -> str:
        line = f"You moved {action} for {points} points."
        if won:
            return f"{line} The game is over: you have reached {self.settings.target} and win."
        if over:
            return f"{line} The game is over: nothing can be moved. Your largest tile is {largest(self._board)}."
        return line

    def _compact_text(self) -> str:
        what = "moves " + " ".join(self.legal()) if self.seat else f"over {self._progress():.2f}"
        return f"{self._rows(' ', ' / ')} {what}"

    def _rows(self, between: str, ends: str) -> str:
        return ends.join(between.join(str(tile) if tile else "." for tile in row) for row in self._board)
