"""Hex: join your two sides of the board."""

from __future__ import annotations

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.grid import coordinates, run_lengths
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, seat_name

MARKS = "xo"
SIDES = ("the top and the bottom row", "the left and the right column")
SWAP = "swap"
LARGEST = 26
"""Columns that have a letter."""


def hex_game(
    *,
    board_size: int = 11,
    num_cols: int | None = None,
    num_rows: int | None = None,
    swap: bool = False,
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """Hex; `swap` lets the second player take over the first stone. Raises ValueError on a bad setting."""
    columns = board_size if num_cols is None else num_cols
    rows = board_size if num_rows is None else num_rows
    if not (1 <= columns <= LARGEST and 1 <= rows <= LARGEST):
        raise ValueError(f"hex needs 1 to {LARGEST} columns and rows: got {columns} and {rows}")
    if swap and columns != rows:
        raise ValueError(f"hex with swap needs as many columns as rows: got {columns} and {rows}")
    return OpenSpielGame(
        "hex",
        TEXTS,
        parameters={"num_cols": columns, "num_rows": rows, "swap": swap},
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    size = game.get_parameters()
    swap = (
        " Instead of its first stone player_1 may answer [swap]: the stone of player_0 is taken away and player_1 "
        "gets one on the cell with column and row exchanged."
        if size["swap"]
        else ""
    )
    return (
        f"This is hex on a board of {size['num_cols']} columns and {size['num_rows']} rows of hexagons, where every "
        "row stands half a cell further right than the one above it. A cell touches its left and right neighbour, the "
        "cell above and the one above to the right, the cell below and the one below to the left: c3 touches b3, d3, "
        "c2, d2, c4 and b4. player_0 plays x and moves first, player_1 plays o. In turn you put a stone on an empty "
        "cell, where it stays. x wins by a chain of touching stones from the top row to the bottom row, o by one from "
        f"the left column to the right column; there is no draw.{swap}\n"
        "Columns are letters from the left, rows are numbers from the top.\n"
        "Answer with an empty cell in square brackets, for example [c3]."
    )


def _action_name(state: SpielState, action: int) -> str:
    return str(state.action_to_string(action))


def _event(state: SpielState, action: int, reader: int) -> str:
    actor, name = state.current_player(), _action_name(state, action)
    if actor == reader:
        return ""
    if name == SWAP:
        return f"{seat_name(actor)} swaps: your stone is gone, and an o stands on the mirrored cell."
    return f"{seat_name(actor)} plays {name}."


def rows_of(state: SpielState) -> list[str]:
    """The rows from the top down, one character out of `.xo` per cell."""
    return [line.replace(" ", "") for line in str(state).splitlines() if line.strip()]


def _board(state: SpielState, player: int) -> str:
    rows = rows_of(state)
    files = [chr(ord("a") + column) for column in range(len(rows[0]))]
    board = coordinates(rows, files, [str(rank) for rank in range(1, len(rows) + 1)], slant=1)
    mover = state.current_player()
    turn = "" if mover < 0 else f" {MARKS[mover]} is to move."
    return f"{board}\nYou play {MARKS[player]} and join {SIDES[player]}.{turn}"


def _compact(state: SpielState, player: int) -> str:
    """The rows from the top down; runs of empty cells by their length."""
    return f"{MARKS[player]} {'/'.join(map(run_lengths, rows_of(state)))}"


TEXTS = GameTexts(rules=_rules, action_name=_action_name, event=_event, compact=_compact, board=_board, key=str)
