"""Chess, in standard algebraic notation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.grid import coordinates
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, seat_name

FILES, RANKS = "abcdefgh", "87654321"
COLOURS = ("Black", "White")
"""OpenSpiel's player 0 has the black pieces and moves second."""
SIDES = {"w": "White", "b": "Black"}
ARMY = {"p": 8, "n": 2, "b": 2, "r": 2, "q": 1, "k": 1}
LIMIT = 100
"""Half moves without a capture or a pawn's move after which a game is drawn."""


def chess(*, chess960: bool = False, prompt: str = "full", show_legal_moves: bool | None = None) -> OpenSpielGame:
    """Chess; `chess960` shuffles the pieces behind the pawns. Raises ValueError on a bad setting."""
    return OpenSpielGame(
        "chess", TEXTS, parameters={"chess960": chess960}, prompt=prompt, show_legal_moves=show_legal_moves
    )


def _rules(game: SpielGame) -> str:
    shuffled = (
        " The pieces behind the pawns stand in a drawn order (Chess960); castling ends where it does in chess."
        if game.get_parameters()["chess960"]
        else ""
    )
    return (
        f"This is chess.{shuffled} player_1 plays White and moves first; player_0 plays Black. Checkmate wins. "
        "It is a draw if who is to move is not in check and cannot move, if the same position comes up for the third "
        "time, after fifty moves of both sides without a capture or a pawn's move, or if neither side has the pieces "
        "left for a checkmate.\n"
        "The board shows White's pieces in capitals and Black's in small letters: k king, q queen, r rook, b bishop, "
        "n knight, p pawn.\n"
        "Moves are in standard algebraic notation: Nf3, exd5, O-O for castling with the king's rook, O-O-O with the "
        "queen's rook, e8=Q, + for check, # for checkmate. Case does not matter; where a capture by a pawn on the b "
        "file could be read as one by a bishop, the pawn's square is written out, as in b3xc4.\n"
        "Answer with one move in square brackets, for example [Nf3]."
    )


def _action_name(state: SpielState, action: int) -> str:
    return str(state.action_to_string(state.current_player(), action))


def _names(state: SpielState, actions: Sequence[int]) -> list[str]:
    """Algebraic notation, with the whole square of a pawn whose capture differs from a bishop's only in case."""
    names = [_action_name(state, action) for action in actions]
    if state.is_chance_node():
        return names
    for mark in ("", "P"):
        uses = Counter(name.casefold() for name in names)
        names = [
            mark + _from_square(state, name) if name[0] == "b" and uses[name.casefold()] > 1 else name for name in names
        ]
    return names


def _from_square(state: SpielState, name: str) -> str:
    """`bxc4` with the rank that the pawn comes from: `b3xc4`."""
    file, x, rest = name.partition("x")
    behind = -1 if state.current_player() == 1 else 1
    return name if len(file) > 1 else f"{file}{int(rest[1]) + behind}{x}{rest}"


def rows_of(state: SpielState) -> list[str]:
    """The rows from the eighth rank down, one character per square: a piece's letter or a dot."""
    placed: str = str(state).split()[0]
    for run in "12345678":
        placed = placed.replace(run, "." * int(run))
    return placed.split("/")


def _event(state: SpielState, action: int, reader: int) -> str:
    actor = state.current_player()
    if state.is_chance_node() or actor == reader:
        return ""
    names = dict(zip(state.legal_actions(), _names(state, state.legal_actions()), strict=True))
    return f"{seat_name(actor)} ({COLOURS[actor]}) plays {names[action]}."


def _board(state: SpielState, player: int) -> str:
    board = coordinates(rows_of(state), FILES, RANKS)
    _, mover, castling, passing, quiet, number = str(state).split()
    lines = [board, f"Off the board: {_missing(state)}. You are {COLOURS[player]}."]
    if not state.is_terminal():
        turn = f"Move {number}: {SIDES[mover]} is to move."
        may = f" Castling still possible: {castling}." if castling != "-" else ""
        en_passant = f" En passant on {passing}." if passing != "-" else ""
        slow = f" Half moves without capture or pawn's move: {quiet}." if int(quiet) >= LIMIT // 2 else ""
        lines.append(f"{turn}{may}{en_passant}{slow}")
    return "\n".join(lines)


def _missing(state: SpielState) -> str:
    """The pieces of the first position that are not there any more; a pawn that was promoted is one of them."""
    there = Counter("".join(rows_of(state)))
    gone = [
        "".join(piece * (count - there[piece]) for piece, count in army.items()) or "nothing"
        for army in ({piece.upper(): count for piece, count in ARMY.items()}, ARMY)
    ]
    return f"White's {gone[0]}, Black's {gone[1]}"


def _compact(state: SpielState, player: int) -> str:
    """The reader's colour and the position in Forsyth-Edwards notation."""
    return f"{COLOURS[player].lower()} {state}"


def _ending(state: SpielState, player: int) -> str:
    """Why the game is over."""
    black, _ = state.returns()
    if black:
        return f"Checkmate: {COLOURS[0 if black > 0 else 1]} wins."
    if state.is_repetition_draw():
        return "The same position came up for the third time."
    if not state.board().has_legal_moves():
        return f"Stalemate: {SIDES[str(state).split()[1]]} cannot move and is not in check."
    if int(str(state).split()[4]) >= LIMIT:
        return "Fifty moves without a capture or a pawn's move."
    return "Neither side has the pieces left for a checkmate."


TEXTS = GameTexts(
    rules=_rules,
    action_name=_action_name,
    names=_names,
    event=_event,
    compact=_compact,
    board=_board,
    ending=_ending,
)
