"""The game of `race_trl.py` as turnwise plays it: a reply may call `play`, and one that calls nothing is the last."""

from __future__ import annotations

import numpy as np
from race_rules import Board, call, calls, first_message

from turnwise.envs.core import Step, TextGame
from turnwise.envs.registry import GAMES
from turnwise.envs.spec import GameSpec

ID = "Race/TicTacToe-LLM"
SEAT = "player_0"


class CalledTicTacToe(TextGame):
    """Tic-tac-toe by calls of a tool against a random opponent.

    ends: the episode ends with the game. False: as in trl, whose environments cannot end an episode, it goes on until a
    reply calls no tool.
    """

    seats = (SEAT,)

    def __init__(self, ends: bool = False) -> None:
        self.ends = ends

    def start(self, rng: np.random.Generator) -> None:
        self._board = Board(lambda count: int(rng.integers(count)))
        self._news, self.seat = first_message(self._board), SEAT

    def observe(self, seat: str) -> str:
        text, self._news = self._news, ""
        return text

    def legal(self) -> None:
        return None

    def sample_action(self, rng: np.random.Generator) -> str:
        free = self._board.free()
        return call(free[int(rng.integers(len(free)))])

    def play(self, action: str) -> Step:
        before = self._board.score
        said = [_answer(self._board, one) for one in calls(action)]
        self._news = "\n</tool_response>\n<tool_response>\n".join(said)
        if not said or (self.ends and self._board.over):
            self.seat = None
        return Step({SEAT: self._board.score - before}, terminated=self.seat is None)


def _answer(board: Board, one: dict[str, object]) -> str:
    """What the tool says to a call; a call that fits no tool is told so, as trl does."""
    arguments = one.get("arguments")
    if one["name"] != "play":
        return str({"error": f"Tool {one['name']} not found."})
    if not isinstance(arguments, dict) or arguments.keys() != {"cell"}:
        return str({"error": "play() takes the argument cell"})
    return board.play(arguments["cell"])


def register() -> None:
    """Let a run of this process find the game under its id."""
    GAMES[ID] = GameSpec(id=ID, entry_point="race_game:CalledTicTacToe")
