"""Tic-tac-toe."""

from __future__ import annotations

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, seat_name

MARKS = "xo"


def tic_tac_toe(*, prompt: str = "full", show_legal_moves: bool | None = None) -> OpenSpielGame:
    """Tic-tac-toe; cells are numbered 0 to 8. Raises ValueError on a bad setting."""
    return OpenSpielGame("tic_tac_toe", TEXTS, prompt=prompt, show_legal_moves=show_legal_moves)


def _rules(game: SpielGame) -> str:
    return (
        "This is tic-tac-toe. player_0 plays x and moves first, player_1 plays o. "
        "The cells of the three by three board are numbered 0 1 2 in the first row, 3 4 5 in the second and "
        "6 7 8 in the third. In turn you mark one empty cell. "
        "Three of your marks in a row, a column or a diagonal win; a full board without such a line is a draw.\n"
        "The board shows the number of each empty cell.\n"
        "Answer with the number of an empty cell in square brackets, for example [4]."
    )


def _action_name(state: SpielState, action: int) -> str:
    return str(action)


def _event(state: SpielState, action: int, reader: int) -> str:
    actor = state.current_player()
    return "" if actor == reader else f"{seat_name(actor)} marks cell {action}."


def _cells(state: SpielState) -> str:
    """Nine characters out of `.xo`."""
    return str(state).replace("\n", "")


def _board(state: SpielState, player: int) -> str:
    shown = [str(cell) if mark == "." else mark for cell, mark in enumerate(_cells(state))]
    return "\n".join(" ".join(shown[row : row + 3]) for row in (0, 3, 6))


def _compact(state: SpielState, player: int) -> str:
    cells = " ".join(f"{mark}{cell}" for cell, mark in enumerate(_cells(state)))
    return f"{MARKS[player]} {cells}"


TEXTS = GameTexts(rules=_rules, action_name=_action_name, event=_event, compact=_compact, board=_board, key=str)
