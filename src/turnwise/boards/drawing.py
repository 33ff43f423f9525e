"""`board_of`: which drawing belongs to which game."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from turnwise.boards.shapes import Board, Known, text_board
from turnwise.envs.core import TextGame
from turnwise.envs.history import played_game

_OPENSPIEL = {
    **dict.fromkeys(("tic_tac_toe", "phantom_ttt", "phantom_ttt_ir"), "grids:numbered"),
    **dict.fromkeys(("hex", "dark_hex", "dark_hex_ir"), "grids:hexagons"),
    **dict.fromkeys(("breakthrough", "othello", "go"), "grids:stones"),
    **dict.fromkeys(("checkers", "amazons", "clobber"), "grids:signs"),
    "connect_four": "grids:columns",
    "chess": "grids:chess",
    "mancala": "grids:mancala",
    "nim": "grids:piles",
    "backgammon": "grids:backgammon",
    "battleship": "grids:battleship",
    "coin_game": "grids:coins",
    "kuhn_poker": "cards:kuhn",
    "leduc_poker": "cards:leduc",
    "universal_poker": "cards:poker",
    "liars_dice": "cards:dice",
    "goofspiel": "cards:goofspiel",
    "hanabi": "cards:hanabi",
    "gin_rummy": "cards:gin_rummy",
    "blackjack": "cards:blackjack",
}
"""OpenSpiel's short name -> file:function of this folder."""
_CLASSES = {
    "Game2048": "puzzles:tiles",
    "Sokoban": "puzzles:sokoban",
    "Sudoku": "puzzles:sudoku",
    "Minesweeper": "puzzles:minesweeper",
    "GuessingGame": "puzzles:guesses",
    "Hangman": "puzzles:hangman",
    "KeyDoor": "puzzles:key_door",
    "KitchenGame": "puzzles:kitchen",
    "MiniGridGame": "worlds:minigrid",
    "GymnasiumGame": "worlds:toy_text",
}
"""The same by the class of the game."""


def board_of(game: TextGame, seat: str | None) -> Board | None:
    """The board of a game that has begun as `seat` knows it; None: as everybody knows it together.

    A game without a drawing gives its words, and one that has neither gives None.
    """
    played = played_game(game)
    seats = tuple(played.seats) if seat is None else (seat,)
    tell: Callable[[str], str] = getattr(played, "board_in_full", played.board)
    known = {name: tell(name) for name in seats} if played.has_board else {}
    named = _drawing(played)
    if named is not None:
        file, _, function = named.partition(":")
        draw = getattr(import_module(f"turnwise.boards.{file}"), function)
        board: Board | None = draw(known, played, seat)
        if board is not None:
            return board
    return text_board(known) if known else None


def _drawing(game: TextGame) -> str | None:
    if type(game).__name__ in _CLASSES and type(game).__module__.startswith("turnwise.envs."):
        return _CLASSES[type(game).__name__]
    spiel: Any = getattr(game, "spiel_game", None)
    return None if spiel is None else _OPENSPIEL.get(_short_name(spiel))


def _short_name(spiel: Any) -> str:
    """OpenSpiel's name of the game, that of the inner one where it was made turn-based."""
    name: str = spiel.get_type().short_name
    inner = spiel.get_parameters().get("game") if name == "turn_based_simultaneous_game" else None
    return str(inner["name"]) if isinstance(inner, dict) else name


def marked(board: Board | None, before: Board | None) -> Board | None:
    """The board, and under `last` the cells that have changed since the one before; for grids of one size."""
    if board is None or before is None or board["kind"] != "grid" or before["kind"] != "grid":
        return board
    if (board["rows"], board["cols"]) != (before["rows"], before["cols"]):
        return board
    pairs = zip(board["cells"], before["cells"], strict=True)
    changed = [
        [row, column]
        for row, (now, was) in enumerate(pairs)
        for column, (new, old) in enumerate(zip(now, was, strict=False))
        if new["text"] != old["text"]
    ]
    return {**board, "last": changed} if changed else {**board, "last": before["last"]}


__all__ = ["Known", "board_of", "marked"]
