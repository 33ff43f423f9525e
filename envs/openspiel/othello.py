"""Othello: outflank and turn over."""

from __future__ import annotations

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.grid import coordinates, run_lengths
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, seat_name

MARKS = "xo"
COLOURS = ("Black", "White")
FILES = "abcdefgh"


def othello(*, prompt: str = "full", show_legal_moves: bool | None = None) -> OpenSpielGame:
    """Othello on eight by eight cells. Raises ValueError on a bad setting."""
    return OpenSpielGame("othello", TEXTS, prompt=prompt, show_legal_moves=show_legal_moves)


def _rules(game: SpielGame) -> str:
    return (
        "This is othello on a board of eight columns and eight rows. player_0 plays Black (x) and moves first, "
        "player_1 plays White (o). In turn you put a disc on an empty cell so that discs of the other side stand in an "
        "unbroken row, column or diagonal between it and another disc of yours; all discs outflanked so are turned "
        "over and become yours. Who cannot do that has to pass. The game ends when neither side can move; who has "
        "more discs wins.\n"
        "Columns are the letters a to h from the left, rows are the numbers 1 to 8 from the top.\n"
        "Answer with one move in square brackets, for example [d3]; if you cannot move, answer [pass]."
    )


def _action_name(state: SpielState, action: int) -> str:
    return str(state.action_to_string(action))


def rows_of(state: SpielState) -> list[str]:
    """The rows from the top down, one character out of `.xo` per cell."""
    lines = [line.split() for line in str(state).splitlines()]
    return ["".join(line[1:9]).replace("-", ".") for line in lines if line and line[0].isdigit()]


def discs(state: SpielState) -> tuple[int, int]:
    """How many discs Black and White have."""
    cells = "".join(rows_of(state))
    return cells.count("x"), cells.count("o")


def _event(state: SpielState, action: int, reader: int) -> str:
    actor, name = state.current_player(), _action_name(state, action)
    if actor == reader:
        return ""
    if name == "pass":
        return f"{seat_name(actor)} has to pass."
    turned = discs(state)[1 - actor] - discs(state.child(action))[1 - actor]
    return f"{seat_name(actor)} plays {name} and turns {turned} disc{'' if turned == 1 else 's'}."


def _board(state: SpielState, player: int) -> str:
    board = coordinates(rows_of(state), FILES, [str(rank) for rank in range(1, 9)])
    black, white = discs(state)
    mover = state.current_player()
    turn = "" if mover < 0 else f" {COLOURS[mover]} is to move."
    return f"{board}\nDiscs: Black {black}, White {white}. You are {COLOURS[player]} ({MARKS[player]}).{turn}"


def _compact(state: SpielState, player: int) -> str:
    """The rows from the top down; runs of empty cells by their length."""
    return f"{MARKS[player]} {'/'.join(map(run_lengths, rows_of(state)))}"


TEXTS = GameTexts(rules=_rules, action_name=_action_name, event=_event, compact=_compact, board=_board, key=str)
