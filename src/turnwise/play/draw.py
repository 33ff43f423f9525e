"""What a terminal shows: boards as text, and texts that cannot do anything to the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.text import Text

STYLES = {
    "first": "bold cyan",
    "second": "bold magenta",
    "wall": "on grey37",
    "goal": "bold green",
    "hint": "blue",
    "good": "bold black on green3",
    "near": "bold black on gold3",
    "bad": "bold red",
    "muted": "grey58",
}
_KEPT = "\n\t"
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
"""Categories of Unicode that show nothing, or change how what follows is shown."""
_JOINERS = "\u200c\u200d"


def safe(text: str) -> str:
    """The text with every sign that steers a terminal, or that hides or turns others, shown as its number."""
    return "".join(map(_shown, text)) if not text.isprintable() else text


def _shown(sign: str) -> str:
    if sign in _KEPT or sign in _JOINERS or unicodedata.category(sign) not in _HIDDEN:
        return sign
    return f"<{ord(sign):02X}>"


def plain(text: str) -> Text:
    """Text without markup, safe to be shown."""
    return Text(safe(text))


def board_text(board: Mapping[str, Any] | None, *, captioned: bool = True) -> Text:
    """A board as lines of text, with what stands below it unless it is not wanted; empty where there is none."""
    if board is None:
        return Text()
    if board["kind"] == "text":
        return plain(board["text"])
    drawn = _grid(board) if board["kind"] == "grid" else _cards(board["rows"])
    if captioned and board["caption"]:
        drawn.append("\n").append(plain(board["caption"]))
    return drawn


def _grid(board: Mapping[str, Any]) -> Text:
    names = [safe(name) for name in board["row_labels"] or ()]
    heads = [safe(name) for name in board["col_labels"] or ()]
    texts = [[safe(one["text"]) for one in row] for row in board["cells"]]
    width = max((cell_len(text) for row in [*texts, heads] for text in row), default=1)
    margin = max(map(cell_len, names), default=0)
    last = {tuple(place) for place in board["last"]}
    drawn = Text()
    if heads:
        drawn.append(" " * (margin + 1) + " ".join(_padded(head, width) for head in heads) + "\n", "grey58")
    for row, line in enumerate(board["cells"]):
        if board.get("slant"):
            drawn.append(" " * row)
        if names:
            drawn.append(f"{names[row]:>{margin}} ", "grey58")
        for column, one in enumerate(line):
            text = texts[row][column]
            style = STYLES.get(one["tone"] or "", "")
            mark = " underline" if (row, column) in last else ""
            drawn.append(_padded(text or _blank(one["tone"]), width), (style + mark).strip())
            drawn.append("" if column + 1 == len(line) else " ", style if one["tone"] == "wall" else "")
        drawn.append("\n")
    drawn.rstrip()
    return drawn


def _blank(tone: str | None) -> str:
    """What stands in an empty cell, so that a terminal without colours tells them apart too."""
    return {"wall": "#", "bad": "x"}.get(tone or "", ".")


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _cards(rows: Sequence[Mapping[str, Any]]) -> Text:
    drawn = Text()
    margin = max((cell_len(safe(row["label"])) for row in rows), default=0)
    for row in rows:
        drawn.append(_padded(safe(row["label"]), margin) + "  ", "grey58")
        for card in row["cards"]:
            drawn.append("[?]" if card["hidden"] else f"[{safe(card['text'])}]", "" if card["hidden"] else "bold")
            drawn.append(" ")
        drawn.append(safe(row["note"]), "italic")
        drawn.append("\n")
    drawn.rstrip()
    return drawn
