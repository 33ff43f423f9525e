"""Tic-tac-toe by calls of a tool, as both sides of `race_trl.py` show it. Needs the standard library alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

RULES = "You play tic-tac-toe and are X. The cells are numbered 0 to 8, row by row. Call play with a free cell."
LAST_WORDS = "Game over."
LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
MOST_TOKENS = 320
"""Of a rollout: everything after the prompt, what the tool says included."""
_CALL = re.compile(r"<tool_call>\s*(.+?)\s*</tool_call>", re.DOTALL)


class Board:
    """One game. The opponent takes a random free cell; the return is 1, 0 or -1."""

    def __init__(self, draw: Callable[[int], int]) -> None:
        """draw: n -> a number below n."""
        self._draw = draw
        self.cells = [str(number) for number in range(9)]
        self.score = 0.0
        self.over = False

    def shown(self) -> str:
        """Three lines; a free cell shows its number."""
        return "\n".join(" ".join(self.cells[first : first + 3]) for first in (0, 3, 6))

    def free(self) -> list[int]:
        """Numbers of the free cells."""
        return [number for number, cell in enumerate(self.cells) if cell.isdigit()]

    def play(self, cell: object) -> str:
        """Put an X there and have it answered; returns what the tool says. A wrong cell loses the game."""
        if self.over:
            return "The game is over."
        if isinstance(cell, bool) or not isinstance(cell, int) or cell not in self.free():
            return self._end(-1.0, "That cell is not free. You lose.")
        self.cells[cell] = "X"
        if self._has_line("X"):
            return self._end(1.0, "You win.")
        free = self.free()
        if not free:
            return self._end(0.0, "It is a draw.")
        self.cells[free[self._draw(len(free))]] = "O"
        return self._end(-1.0, "You lose.") if self._has_line("O") else self.shown()

    def _has_line(self, mark: str) -> bool:
        return any(all(self.cells[cell] == mark for cell in line) for line in LINES)

    def _end(self, score: float, text: str) -> str:
        self.score, self.over = score, True
        return text


def first_message(board: Board) -> str:
    """What the policy reads first."""
    return RULES + _said_first(board)


def _said_first(board: Board) -> str:
    return f"\nBoard:\n{board.shown()}"


def call(cell: int) -> str:
    """The reply that plays a cell, as Qwen3 writes calls."""
    return f'<tool_call>\n{{"name": "play", "arguments": {{"cell": {cell}}}}}\n</tool_call>'


def calls(reply: str) -> Iterator[dict[str, object]]:
    """The calls in a reply: name and arguments. None at all where one of them is no JSON object of that form."""
    found = []
    for text in _CALL.findall(reply):
        try:
            one = json.loads(text)
        except json.JSONDecodeError:
            return
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            return
        found.append(one)
    yield from found


class Environment:
    """The game as trl's `environment_factory` wants it: `reset` begins, public methods are tools."""

    draw: Callable[[int], int] = staticmethod(lambda count: 0)

    def reset(self, **_: object) -> str:
        self._board = Board(type(self).draw)
        return _said_first(self._board)

    def play(self, cell: int) -> str:
        """
        Place your X on a free cell of the board.

        Args:
            cell: Number of the cell, from 0 to 8.

        Returns:
            The board after the opponent's move, or how the game ended.
        """
        return self._board.play(cell)

    def get_reward(self) -> float:
        return self._board.score
