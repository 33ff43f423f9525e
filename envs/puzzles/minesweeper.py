"""`Minesweeper`: open every cell that holds no mine."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, SOLO, need_legal, need_seat, one_of, whole
from turnwise.envs.core import Step, TextGame, Unsupported
from turnwise.envs.puzzles.minesweeper_generate import Minefield, Size, generate, most_mines
from turnwise.envs.puzzles.minesweeper_rules import cell_names, neighbours, opened
from turnwise.envs.puzzles.purse import Purse

LEVELS = {"easy": Size(5, 5, 4), "medium": Size(8, 8, 10), "hard": Size(16, 16, 40)}
OPENINGS = ("given", "own")
HIDDEN, FLAG, MINE = "#", "F", "*"


class Minesweeper(TextGame):
    """Minesweeper. A reveal opens a cell and shows how many of its up to eight neighbours hold mines; a cell that
    touches none opens its neighbours too. A mine ends the game, and so does the last safe cell, which wins it.

    The first reveal is always safe and touches no mine. `opening="given"`: the game makes it, at a random cell, so that
    a seed is one field. `opening="own"`: the seat makes it, and the field follows from the seed and the cell.
    `solvable=True`: an exact solver has proved that nothing has to be guessed from there on. Flags are a help to the
    memory: a flagged cell cannot be revealed until it is unflagged. Stops (truncated) after `turns` moves.
    Reward, `dense=False`: 1 for a win, else 0; `dense=True`: the share of the safe cells that the seat has opened, paid
    as it grows and kept when a mine goes off. Optimum: 1 where the field is solvable, less where it has to be guessed.
    """

    seats = SOLO
    utility_bounds = (0.0, 1.0)
    can_clone = has_anchor = has_board = True
    levels = tuple(LEVELS)

    def __init__(
        self,
        *,
        level: str = "easy",
        rows: int | None = None,
        columns: int | None = None,
        mines: int | None = None,
        solvable: bool = True,
        opening: str = "given",
        flags: bool = True,
        turns: int | None = None,
        dense: bool = False,
        prompt: str = "full",
    ) -> None:
        """rows, columns (4 to 24), mines (at least 1; at most a fifth of the cells where solvable): in place of the
        level's. turns: by default twice as many as there are cells. Raises ValueError.
        """
        usual = LEVELS[one_of("level", level, self.levels)]
        high = whole("rows", usual.rows if rows is None else rows, 4, 24)
        wide = whole("columns", usual.columns if columns is None else columns, 4, 24)
        most = most_mines(high, wide, solvable)
        self.settings = Size(high, wide, whole("mines", usual.mines if mines is None else mines, 1, most))
        self.level = level if self.settings == usual and solvable else None
        self._names = cell_names(high, wide)
        self.turns = whole("turns", 2 * high * wide if turns is None else turns, 1, 10_000)
        self.has_solution = solvable
        self.has_ground_truth = one_of("opening", opening, OPENINGS) == "given"
        self.dense_rewards = dense
        self._solvable, self._given, self._flags_allowed = solvable, opening == "given", flags
        self._compact = one_of("prompt", prompt, PROMPTS) == "compact"

    def start(self, rng: np.random.Generator) -> None:
        self._seed = int(rng.integers(2**63))
        self._made: Minefield | None = None
        self._open: frozenset[int] = frozenset()
        self._flags: frozenset[int] = frozenset()
        self._moves = 0
        self._purse = Purse()
        self._legal: tuple[str, ...] | None = None
        news = ""
        if self._given:
            first = int(rng.integers(self.settings.rows * self.settings.columns))
            self._lay(first)
            self._reveal(first)
            news = f"\nThe game has opened {self._names[first]} for you."
        self._open_at_first = len(self._open)
        self._news = self._rules() + news
        self._unread = True
        self.seat = SOLO[0]

    def observe(self, seat: str) -> str:
        need_seat(seat, self.seats)
        if not self._unread:
            return ""
        self._unread = False
        if self._compact:
            return self._compact_text()
        return f"{self._news}\n{self.board(seat)}"

    def legal(self) -> tuple[str, ...]:
        """Reveals of hidden cells, then flags of the same, then unflags."""
        if self.seat is None:
            return ()
        if self._legal is None:
            free = [cell for cell in self._cells() if cell not in self._open and cell not in self._flags]
            acts = ("reveal", "flag") if self._flags_allowed else ("reveal",)
            names = [f"{act} {self._names[cell]}" for act in acts for cell in free]
            self._legal = (*names, *(f"unflag {self._names[cell]}" for cell in sorted(self._flags)))
        return self._legal

    def play(self, action: str) -> Step:
        legal = self.legal()
        example = f"answer like [{legal[0]}] with a hidden cell that bears no flag" if legal else ""
        need_legal(action, legal, self.seat, example)
        act, _, name = action.partition(" ")
        cell = self._names.index(name)
        self._moves += 1
        self._legal, self._unread = None, True
        lost = False
        if act == "reveal":
            self._lay(cell)
            lost = not self._reveal(cell)
        else:
            self._flags ^= {cell}
        won = not lost and len(self._open) == self._safe()
        stopped = not (lost or won) and self._moves >= self.turns
        self._news = f"You {act} {name}.{self._ending(lost, won, stopped)}"
        if lost or won or stopped:
            self.seat = None
        reward = self._purse.pay(self._share() if self.dense_rewards else float(won))
        return Step({SOLO[0]: reward}, terminated=lost or won, truncated=stopped)

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def ground_truth(self) -> str:
        """The cells with mines. Raises Unsupported before the first reveal where the seat makes it."""
        if self._made is None:
            raise Unsupported('Minesweeper has no field before the first reveal with opening="own"')
        return " ".join(self._names[cell] for cell in sorted(self._made.field.mines))

    def anchor(self) -> str:
        return self._rows("", "/")

    def board(self, seat: str) -> str:
        rows, columns = self.settings.rows, self.settings.columns
        head = " " * 3 + "".join(f"c{column + 1}".rjust(4) for column in range(columns))
        lines = [
            f"r{row + 1}".ljust(3) + "".join(self._sign(row * columns + column).rjust(4) for column in range(columns))
            for row in range(rows)
        ]
        return "\n".join([head, *lines, f"Mines: {self.settings.mines}. Flags: {len(self._flags)}."])

    def solution(self) -> tuple[str, ...]:
        """Reveals of certainly safe cells until the game is won; first those flags are taken off that mark safe cells.

        Raises Unsupported where fields may need guesses (solvable=False).
        """
        if not self._solvable:
            return super().solution()
        if self.seat is None:
            return ()
        if self._made is None:
            ahead = self.clone()
            centre = self.settings.rows // 2 * self.settings.columns + self.settings.columns // 2
            first = [f"unflag {self._names[cell]}" for cell in sorted(self._flags)]
            for action in (*first, f"reveal {self._names[centre]}"):
                ahead.play(action)
            return (*first, f"reveal {self._names[centre]}", *ahead.solution())
        return self._remaining(self._made)

    def _remaining(self, made: Minefield) -> tuple[str, ...]:
        """The plan of the field without what is open already, after the cells that only a flag has kept shut."""
        wrong = sorted(self._flags - made.field.mines)
        actions, shown = [f"unflag {self._names[cell]}" for cell in wrong], set(self._open)
        near = neighbours(self.settings.rows, self.settings.columns)
        shut = [cell for cell in wrong if any(not made.field.counts[other] for other in near[cell] if other in shown)]
        for cell in (*shut, *(made.plan or ())):
            if cell not in shown:
                actions.append(f"reveal {self._names[cell]}")
                shown |= opened(made.field, cell, shown)
        return tuple(actions)

    def _lay(self, first: int) -> None:
        """Lay the mines, unless they lie there."""
        if self._made is None:
            self._made = generate(self.settings, first, self._solvable, np.random.default_rng((self._seed, first)))

    def _reveal(self, cell: int) -> bool:
        """Open a cell; False where it was a mine."""
        if self._made is None or cell in self._made.field.mines:
            return False
        self._open |= opened(self._made.field, cell, self._open | self._flags)
        return True

    def _safe(self) -> int:
        return self.settings.rows * self.settings.columns - self.settings.mines

    def _share(self) -> float:
        return (len(self._open) - self._open_at_first) / (self._safe() - self._open_at_first)

    def _cells(self) -> range:
        return range(self.settings.rows * self.settings.columns)

    def _sign(self, cell: int) -> str:
        if cell in self._open and self._made:
            return str(self._made.field.counts[cell] or ".")
        if self.seat is None and self._moves and self._made and cell in self._made.field.mines:
            return MINE
        return FLAG if cell in self._flags else HIDDEN

    def _rows(self, between: str, ends: str) -> str:
        columns = self.settings.columns
        signs = [self._sign(cell) for cell in self._cells()]
        return ends.join(between.join(signs[at : at + columns]) for at in range(0, len(signs), columns))

    def _ending(self, lost: bool, won: bool, stopped: bool) -> str:
        if lost:
            return " The game is over: that was a mine. You lose."
        if won:
            return " The game is over: every safe cell is open. You win."
        return f" The game is over: the {self.turns} moves are used up." if stopped else ""

    def _rules(self) -> str:
        size = self.settings
        flag = (
            " You may also mark a cell: flag r1c1, and unflag r1c1 to take the flag off. A flagged cell cannot be "
            "revealed."
            if self._flags_allowed
            else ""
        )
        guess = " No guess is ever needed." if self._solvable else ""
        return (
            f"This is Minesweeper with {size.rows} rows, {size.columns} columns and {size.mines} mines. A revealed "
            "cell shows how many of the up to eight cells around it hold mines; one that shows none (a dot) opens its "
            "neighbours too. Reveal every cell without a mine to win; revealing a mine loses. "
            f"The first reveal is always safe.{guess}{flag}\n"
            f"{HIDDEN} is a hidden cell, {FLAG} a flag. r2c3 is the cell in row 2, column 3.\n"
            "Answer in square brackets, for example [reveal r2c3]."
        )

    def _compact_text(self) -> str:
        columns = self.settings.columns
        rows = self._rows("", "\n").split("\n")
        text = "\n".join(f"r{row + 1} {signs}" for row, signs in enumerate(rows))
        if self.seat is None:
            return f"{text}\nover {'won' if len(self._open) == self._safe() else 'lost'}"
        return f"c1 to c{columns} mines {self.settings.mines}\n{text}"
