"""Connect four, on boards of any size that OpenSpiel takes."""

from __future__ import annotations

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, seat_name

MARKS = "xo"


def connect_four(
    *,
    rows: int = 6,
    columns: int = 7,
    x_in_row: int = 4,
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """Connect four; columns are numbered from 0 on the left. Raises ValueError on a bad setting."""
    return OpenSpielGame(
        "connect_four",
        TEXTS,
        parameters={"rows": rows, "columns": columns, "x_in_row": x_in_row},
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    size = game.get_parameters()
    return (
        f"This is connect four on a board of {size['columns']} columns and {size['rows']} rows. "
        "player_0 plays x and moves first, player_1 plays o. In turn you drop one disc into a column that is not full; "
        f"it falls to the lowest free cell. {size['x_in_row']} of your discs in an unbroken row, column or diagonal "
        "win; a full board without such a line is a draw.\n"
        f"Columns are numbered 0 to {size['columns'] - 1} from the left.\n"
        "Answer with the number of a column in square brackets, for example [2]."
    )


def _action_name(state: SpielState, action: int) -> str:
    return str(action)


def _event(state: SpielState, action: int, reader: int) -> str:
    actor = state.current_player()
    return "" if actor == reader else f"{seat_name(actor)} drops a disc into column {action}."


def _rows(state: SpielState) -> list[str]:
    """The rows from the top down, one character out of `.xo` per cell."""
    return str(state).split()


def _board(state: SpielState, player: int) -> str:
    rows = _rows(state)
    width = len(str(len(rows[0]) - 1))
    lines = [*rows, [str(column) for column in range(len(rows[0]))]]
    return "\n".join(" ".join(cell.rjust(width) for cell in line) for line in lines)


def _compact(state: SpielState, player: int) -> str:
    """One word a cell, from the bottom up: content, column number, row letter (`x3a` lies on the floor)."""
    words = [
        f"{mark}{column}{chr(ord('a') + row)}"
        for row, line in enumerate(reversed(_rows(state)))
        for column, mark in enumerate(line)
    ]
    return " ".join([MARKS[player], *words])


TEXTS = GameTexts(rules=_rules, action_name=_action_name, event=_event, compact=_compact, board=_board, key=str)
