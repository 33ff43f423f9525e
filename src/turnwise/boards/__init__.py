"""Boards of games, as plain dicts that a page or a terminal draws: `board_of` now, `replay` of a whole episode.

A board is drawn from the words of `TextGame.board(seat)`, which hold what the seat may know and nothing else: what is
hidden from a seat cannot get into its picture. With `seat` None the words of every seat are put together.

Kinds: {"kind": "grid", rows, cols, cells: [[{text, tone}]], row_labels, col_labels, checkered, slant, last: [[row,
column]], caption}, {"kind": "cards", rows: [{label, cards: [{text, hidden}], note}], caption}, {"kind": "text", text}.
"""

from __future__ import annotations

from turnwise.boards.drawing import board_of, marked
from turnwise.boards.replay import replay

__all__ = ["board_of", "marked", "replay"]
