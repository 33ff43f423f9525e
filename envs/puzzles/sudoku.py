"""`Sudoku`: fill a grid so that every row, column and box holds each digit once."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, SOLO, need_legal, need_seat, one_of, whole
from turnwise.envs.core import Step, TextGame
from turnwise.envs.puzzles.purse import Purse
from turnwise.envs.puzzles.sudoku_generate import MOST_EMPTY, Size, generate
from turnwise.envs.puzzles.sudoku_solver import BOXES, candidates

LEVELS = {"easy": Size(4, 6), "medium": Size(6, 16), "hard": Size(9, 45)}
WRONG = ("refuse", "allow")


class Sudoku(TextGame):
    """Sudoku on 4 by 4, 6 by 6 or 9 by 9 cells; a solver has proved that every puzzle has one solution.

    An action `r1c2=3` writes a digit. `wrong="refuse"`: a digit that is not the solution's is not written and the seat
    is told so; one more such mistake than `mistakes` allows ends the game. `wrong="allow"`: any digit is written, own
    cells can be overwritten, nothing is told until the grid is full, which ends the game; it stops (truncated) after
    `turns` entries.
    Reward, `dense=False`: 1 for the solved grid, else 0; `dense=True`: the share of the empty cells that are right,
    paid as it changes (which tells a learner, but not a reader, whether an entry was right). Optimum: 1 either way.
    """

    seats = SOLO
    utility_bounds = (0.0, 1.0)
    can_clone = has_anchor = has_board = has_ground_truth = has_solution = True
    levels = tuple(LEVELS)

    def __init__(
        self,
        *,
        level: str = "easy",
        size: int | None = None,
        empty: int | None = None,
        wrong: str = "refuse",
        mistakes: int = 2,
        turns: int | None = None,
        dense: bool = False,
        prompt: str = "full",
    ) -> None:
        """size (4, 6, 9), empty (cells to fill: up to 10, 24, 54): in place of the level's. mistakes (0 to 100): with
        refuse only. turns: with allow only, by default three per empty cell. Raises ValueError.
        """
        usual = LEVELS[one_of("level", level, self.levels)]
        side = one_of("size", usual.size if size is None else size, tuple(BOXES))
        at_first = usual.empty if side == usual.size else {each.size: each.empty for each in LEVELS.values()}[side]
        self.settings = Size(side, whole("empty", at_first if empty is None else empty, 1, MOST_EMPTY[side]))
        self.level = level if self.settings == usual else None
        self.task = f"{side}x{side}"
        self.mistakes = whole("mistakes", mistakes, 0, 100)
        self.turns = whole("turns", 3 * self.settings.empty if turns is None else turns, self.settings.empty, 10_000)
        self.dense_rewards = dense
        self._refuses = one_of("wrong", wrong, WRONG) == "refuse"
        self._compact = one_of("prompt", prompt, PROMPTS) == "compact"

    def start(self, rng: np.random.Generator) -> None:
        self._puzzle = generate(self.settings, rng)
        self._grid = self._puzzle.given
        self._moves = self._strikes = 0
        self._refused = ""
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
        if not self._compact:
            return f"{self._news}\n{self.board(seat)}"
        rows = "\n".join(f"r{row + 1} {''.join(signs)}" for row, signs in enumerate(self._rows()))
        if self.seat is None:
            return f"{rows}\nover {'won' if self._solved() else 'lost'}"
        if not self._refuses:
            return rows
        wrong = f" {self._refused} was wrong" if self._refused else ""
        return f"{rows}\nmistakes {self._strikes} of {self.mistakes}{wrong}"

    def legal(self) -> tuple[str, ...]:
        """Every digit in every empty cell; with wrong="allow" also another digit in a cell that was filled."""
        if self.seat is None:
            return ()
        if self._legal is None:
            digits = range(1, self.settings.size + 1)
            self._legal = tuple(
                f"{self._name(cell)}={digit}"
                for cell, (given, now) in enumerate(zip(self._puzzle.given, self._grid, strict=True))
                if not given and not (now and self._refuses)
                for digit in digits
                if digit != now
            )
        return self._legal

    def play(self, action: str) -> Step:
        form = f"write a digit from 1 to {self.settings.size} into an open cell, like [r1c2=3]"
        need_legal(action, self.legal(), self.seat, form)
        cell, digit = self._read(action)
        self._moves += 1
        self._unread, self._refused = True, ""
        if self._refuses and digit != self._puzzle.solution[cell]:
            return self._strike(action)
        self._grid = (*self._grid[:cell], digit, *self._grid[cell + 1 :])
        self._legal = None
        full = 0 not in self._grid
        stopped = not full and not self._refuses and self._moves >= self.turns
        self._news = f"You wrote {action}.{self._ending(full, stopped)}"
        if full or stopped:
            self.seat = None
        reward = self._purse.pay(self._share() if self.dense_rewards else float(self._solved()))
        return Step({SOLO[0]: reward}, terminated=full, truncated=stopped)

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def ground_truth(self) -> str:
        """The rows of the solved grid, with blanks between them."""
        size, solved = self.settings.size, "".join(map(str, self._puzzle.solution))
        return " ".join(solved[at : at + size] for at in range(0, len(solved), size))

    def anchor(self) -> str:
        """The grid and the mistakes; how many entries were made is left out."""
        return "/".join("".join(signs) for signs in self._rows()) + f" {self._strikes}"

    def board(self, seat: str) -> str:
        high, wide = BOXES[self.settings.size]
        lines = []
        for row, signs in enumerate(self._rows()):
            boxes = [" ".join(signs[at : at + wide]) for at in range(0, len(signs), wide)]
            lines.append(f"r{row + 1}  {' | '.join(boxes)}")
            if row % high == high - 1 and row < self.settings.size - 1:
                lines.append("-" * len(lines[-1]))
        left = f"Cells to fill: {self._grid.count(0)}."
        return "\n".join([*lines, f"{left} Mistakes: {self._strikes} of {self.mistakes}." if self._refuses else left])

    def solution(self) -> tuple[str, ...]:
        """Entries that solve the grid from here: wrong ones are mended first, then always a cell with the fewest
        candidates."""
        if self.seat is None:
            return ()
        right, grid = self._puzzle.solution, list(self._grid)
        order = [cell for cell, digit in enumerate(grid) if digit and digit != right[cell]]
        for cell in order:
            grid[cell] = right[cell]
        while 0 in grid:
            empty = [cell for cell, digit in enumerate(grid) if not digit]
            cell = min(empty, key=lambda each: len(candidates(grid, self.settings.size, each)))
            grid[cell] = right[cell]
            order.append(cell)
        return tuple(f"{self._name(cell)}={right[cell]}" for cell in order)

    def _strike(self, action: str) -> Step:
        """What a wrong digit leads to where it is refused."""
        self._strikes, self._refused = self._strikes + 1, action
        over = self._strikes > self.mistakes
        self._news = f"{action} is wrong and was not written."
        if over:
            self.seat = None
            self._news += f" The game is over: that was mistake {self._strikes}. You lose."
        return Step({SOLO[0]: 0.0}, terminated=over)

    def _solved(self) -> bool:
        return self._grid == self._puzzle.solution

    def _share(self) -> float:
        cells = zip(self._puzzle.given, self._grid, self._puzzle.solution, strict=True)
        return sum(not given and now == right for given, now, right in cells) / self.settings.empty

    def _name(self, cell: int) -> str:
        return f"r{cell // self.settings.size + 1}c{cell % self.settings.size + 1}"

    def _read(self, action: str) -> tuple[int, int]:
        """(cell, digit) of a legal action."""
        place, _, digit = action.partition("=")
        row, _, column = place[1:].partition("c")
        return (int(row) - 1) * self.settings.size + int(column) - 1, int(digit)

    def _rows(self) -> list[list[str]]:
        size, signs = self.settings.size, [str(digit or ".") for digit in self._grid]
        return [signs[at : at + size] for at in range(0, len(signs), size)]

    def _ending(self, full: bool, stopped: bool) -> str:
        if stopped:
            return f" The game is over: the {self.turns} entries are used up."
        if not full:
            return ""
        won = "The grid is solved: you win." if self._solved() else "The full grid is wrong: you lose."
        return f" The game is over. {won}"

    def _rules(self) -> str:
        size = self.settings.size
        high, wide = BOXES[size]
        check = (
            f"A wrong digit is refused; with mistake {self.mistakes + 1} the game is lost."
            if self._refuses
            else f"You may overwrite your own digits. The full grid is checked. You have {self.turns} entries."
        )
        return (
            f"This is Sudoku with {size} rows and {size} columns. Every row, every column and every box of {high} by "
            f"{wide} cells holds each digit from 1 to {size} once. There is one solution. {check}\n"
            "Dots are empty cells. r1c2=3 writes a 3 into row 1, column 2.\n"
            "Answer with one entry in square brackets, for example [r1c2=3]."
        )
