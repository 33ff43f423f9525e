"""Breakthrough: pawns race to the far row."""

from __future__ import annotations

from collections.abc import Hashable

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.grid import coordinates, run_lengths
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, seat_name

PIECES = "bw"
COLOURS = ("Black", "White")


def breakthrough(
    *, rows: int = 8, columns: int = 8, prompt: str = "full", show_legal_moves: bool | None = None
) -> OpenSpielGame:
    """Breakthrough on boards from 4 rows of 2 upward. Raises ValueError on a bad setting."""
    if not (4 <= rows <= 9 and 2 <= columns <= 26):
        raise ValueError(f"breakthrough needs 4 to 9 rows and 2 to 26 columns: got {rows} and {columns}")
    return OpenSpielGame(
        "breakthrough",
        TEXTS,
        parameters={"rows": rows, "columns": columns},
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    size = game.get_parameters()
    return (
        f"This is breakthrough on a board of {size['columns']} columns and {size['rows']} rows. player_0 plays Black "
        "(b), begins at the top, moves down and moves first; player_1 plays White (w), begins at the bottom and moves "
        "up. In turn you move one of your pieces one cell forward, straight or diagonally. Straight it needs an empty "
        "cell; diagonally it may also take a piece of the other side. "
        "Who first gets a piece to the far row wins, and so does who has taken all pieces of the other side.\n"
        "A cell is named by its column and row. A move is written as the cell it leaves and the cell it goes to, with "
        "a star where it takes a piece.\n"
        "Answer with one move in square brackets, for example [b7b6] or [c4d5*]."
    )


def rows_of(state: SpielState) -> list[str]:
    """The rows from the top down, one character out of `.bw` per cell."""
    return [line.strip()[1:] for line in str(state).splitlines()[:-1] if line.strip()][: _height(state)]


def _height(state: SpielState) -> int:
    return int(state.get_game().get_parameters()["rows"])


def _action_name(state: SpielState, action: int) -> str:
    return str(state.action_to_string(action))


def _event(state: SpielState, action: int, reader: int) -> str:
    actor = state.current_player()
    return "" if actor == reader else f"{seat_name(actor)} plays {_action_name(state, action)}."


def _board(state: SpielState, player: int) -> str:
    rows = rows_of(state)
    files = [chr(ord("a") + column) for column in range(len(rows[0]))]
    board = coordinates(rows, files, [str(rank) for rank in range(len(rows), 0, -1)])
    counts = ", ".join(
        f"{colour} has {sum(row.count(piece) for row in rows)}" for colour, piece in zip(COLOURS, PIECES, strict=True)
    )
    mover = state.current_player()
    turn = "" if mover < 0 else f" {COLOURS[mover]} is to move."
    return f"{board}\nPieces: {counts}. You are {COLOURS[player]} ({PIECES[player]}).{turn}"


def _compact(state: SpielState, player: int) -> str:
    """The rows from the top down; runs of empty cells by their length."""
    return f"{PIECES[player]} {'/'.join(map(run_lengths, rows_of(state)))}"


def _key(state: SpielState) -> Hashable:
    return str(state), state.current_player()


TEXTS = GameTexts(rules=_rules, action_name=_action_name, event=_event, compact=_compact, board=_board, key=_key)
