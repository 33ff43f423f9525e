"""Puzzles and the kitchen, drawn from their words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from turnwise.boards.shapes import Board, Cell, Known, cell, first, grid

Signs = Mapping[str, tuple[str, str | None]]
"""Sign of a drawing -> (text, tone) of the cell."""
FLOOR: Signs = {"-": ("", None), ".": ("", None), "#": ("", "wall")}
ROOM: Signs = {
    **FLOOR,
    ".": ("·", "goal"),
    "$": ("□", "second"),
    "*": ("■", "good"),
    "@": ("☺", "first"),
    "+": ("☺", "goal"),
}
MAZE: Signs = {**FLOOR, "@": ("☺", "first"), "K": ("⚷", "hint"), "D": ("▯", "goal")}
KITCHEN: Signs = {
    **FLOOR,
    "O": ("O", "hint"),
    "P": ("P", "bad"),
    "D": ("D", "near"),
    "S": ("S", "goal"),
    **{str(seat): (str(seat), "first" if seat % 2 == 0 else "second") for seat in range(4)},
}


def drawn(lines: Sequence[str], signs: Signs) -> list[list[Cell]]:
    """The cells of a drawing of one character each."""
    return [[cell(*signs.get(sign, (sign, None))) for sign in line] for line in lines]


def block(lines: Sequence[str], pattern: str) -> list[str]:
    """The first lines in a row that match."""
    found: list[str] = []
    for line in lines:
        if re.fullmatch(pattern, line):
            found.append(line)
        elif found:
            break
    return found


def _below(lines: Sequence[str], rows: Sequence[str]) -> str:
    return "\n".join(line for line in lines if line not in rows and not line.startswith("You can choose"))


def tiles(known: Known, game: Any, seat: str | None) -> Board | None:
    """2048."""
    lines = first(known)
    rows = block(lines, r"[\s\d.]+")
    cells = [[cell() if tile == "." else cell(tile, _tone(int(tile))) for tile in row.split()] for row in rows]
    return grid(cells, caption=_below(lines, rows)) if rows else None


def _tone(tile: int) -> str | None:
    return None if tile < 8 else "hint" if tile < 64 else "near" if tile < 512 else "good"


def sokoban(known: Known, game: Any, seat: str | None) -> Board | None:
    """A room with boxes."""
    lines = first(known)
    rows = block(lines, r"[#\-.$*@+]+")
    return grid(drawn(rows, ROOM), caption=_below(lines, rows)) if rows else None


def key_door(known: Known, game: Any, seat: str | None) -> Board | None:
    """A maze with a key and a door."""
    lines = first(known)
    rows = block(lines, r"[#\-@KD]+")
    return grid(drawn(rows, MAZE), caption=_below(lines, rows)) if rows else None


def kitchen(known: Known, game: Any, seat: str | None) -> Board | None:
    """The kitchen from above: O onions, P pots, D plates, S the hatch, cooks by the number of their seat."""
    lines = first(known)
    rows = block(lines, r"[#.OPDS0-3]+")
    told = [line for line in lines if line not in rows]
    if seat is None:
        told = [line for line in told if not line.startswith("You ")]
    key = "O onions, P pot, D plates, S hatch"
    return grid(drawn(rows, KITCHEN), caption="\n".join([key, *told])) if rows else None


def sudoku(known: Known, game: Any, seat: str | None) -> Board | None:
    """Rows r1, r2, ... with bars between the boxes."""
    lines = first(known)
    rows = [line for line in lines if re.fullmatch(r"r\d+ [\d.| ]+", line)]
    if not rows:
        return None
    cells = []
    for row in rows:
        parts = [part.split() for part in row.split(maxsplit=1)[1].split("|")]
        cells.append([cell("" if sign == "." else sign, _box(at)) for at, part in enumerate(parts) for sign in part])
    names = [row.split()[0] for row in rows]
    caption = "\n".join(line for line in lines if line not in rows and set(line) != {"-"})
    columns = [f"c{column + 1}" for column in range(len(cells[0]))]
    return grid(cells, row_labels=names, col_labels=columns, caption=caption)


def _box(part: int) -> str | None:
    return "muted" if part % 2 else None


def minesweeper(known: Known, game: Any, seat: str | None) -> Board | None:
    """Hidden cells are #, flags F, and mines, once the game is over, *."""
    lines = first(known)
    rows = [line.split() for line in lines if re.match(r"r\d+\s", line)]
    if not rows:
        return None
    tones = {"#": ("", "wall"), "F": ("⚑", "near"), ".": ("", None), "*": ("✸", "bad")}
    cells = [[cell(*tones.get(sign, (sign, "hint"))) for sign in row[1:]] for row in rows]
    columns = [f"c{column + 1}" for column in range(len(cells[0]))]
    caption = "\n".join(line for line in lines if not re.match(r"\s*[rc]\d+\s", line))
    return grid(cells, row_labels=[row[0] for row in rows], col_labels=columns, caption=caption)


def guesses(known: Known, game: Any, seat: str | None) -> Board | None:
    """Wordle and Mastermind: one row a guess, with what was told of it."""
    text = first(known)[0]
    tried = re.findall(r"(\S+):(\S+)", text)
    left = int(found[1]) if (found := re.search(r"(\d+) left", text)) else 0
    state = re.search(r"(\d+) (letters|of 1-\d+)", text)
    if state is None:
        return None
    width, code = int(state[1]), state[2] != "letters"
    cells = [_code(guess, marks) if code else _word(guess, marks) for guess, marks in tried]
    blank = [cell("", "muted") for _ in range(width + 2 * code)]
    labels = [*([""] * width), "right", "elsewhere"] if code else []
    caption = f"{left} guesses left. Digits: {state[2].removeprefix('of ')}." if code else f"{left} guesses left."
    return grid([*cells, *([blank] * left)], col_labels=labels, caption=caption)


def _word(guess: str, marks: str) -> list[Cell]:
    tones = {"G": "good", "Y": "near", "-": "muted"}
    return [cell(letter.upper(), tones.get(mark)) for letter, mark in zip(guess, marks, strict=True)]


def _code(guess: str, marks: str) -> list[Cell]:
    right, _, elsewhere = marks.partition("+")
    return [*(cell(digit) for digit in guess), cell(right, "good"), cell(elsewhere, "near")]


def hangman(known: Known, game: Any, seat: str | None) -> Board | None:
    """The word as far as it is known."""
    word, told, rest = first(known)[0].partition(" missed:")
    letters = [cell("", "wall") if sign == "_" else cell(sign.upper(), "good") for sign in word.split()]
    if not told or any(len(sign) > 1 for sign in word.split()):
        return None
    missed, _, left = rest.partition(",")
    return grid([letters], caption=f"missed: {missed.strip() or 'none'}\n{left.strip()}")
