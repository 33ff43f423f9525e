"""Games on a board of cells, drawn from their words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from turnwise.boards.shapes import Board, Cell, Known, cell, first, grid, lettered, without_you, words

TONE = {"x": "first", "o": "second", "w": "first", "b": "second"}
DISC = {"first": "●", "second": "○"}
FIGURES = dict(zip("KQRBNPkqrbnp", "♔♕♖♗♘♙♚♛♜♝♞♟", strict=True))


def _stone(sign: str, *, disc: bool = False) -> Cell:
    tone = TONE.get(sign)
    return cell() if tone is None else cell(DISC[tone] if disc else sign, tone)


def _caption(lines: Sequence[str], known: Known) -> str:
    """What stands under a drawing; where everybody looks on, without what is said to one seat."""
    told = [without_you(line) for line in lines] if len(known) > 1 else lines
    return "\n".join(line for line in told if line)


def _merged(boards: Sequence[Sequence[Sequence[str]]]) -> list[list[str]]:
    """One drawing from those of all seats: a cell shows the stone that anybody knows of."""
    return [[_known_sign(signs) for signs in zip(*rows, strict=True)] for rows in zip(*boards, strict=True)]


def _known_sign(signs: Sequence[str]) -> str:
    return next((sign for sign in signs if sign in TONE), signs[0])


def numbered(known: Known, game: Any, seat: str | None) -> Board | None:
    """Tic-tac-toe, open or phantom: an empty cell shows its number."""
    boards = [[line.split() for line in words(text)[:3]] for text in known.values()]
    if any(len(row) != 3 for rows in boards for row in rows):
        return None
    cells = [[_stone(sign) if sign in TONE else cell(sign, "muted") for sign in row] for row in _merged(boards)]
    return grid(cells, caption=_caption(first(known)[3:4], known))


def hexagons(known: Known, game: Any, seat: str | None) -> Board | None:
    """Hex, open or dark: every row stands half a cell further right."""
    found = [lettered(words(text)) for text in known.values()]
    read = [one for one in found if one is not None]
    if len(read) != len(found):
        return None
    columns, names, _, count = read[0]
    cells = [[_stone(sign, disc=True) for sign in row] for row in _merged([rows for _, _, rows, _ in read])]
    told = first(known)[count:]
    end = next((at for at, line in enumerate(told) if line.startswith("All ")), len(told))
    caption = _caption(told[:end], known) if seat is not None else "● joins top and bottom, ○ joins left and right."
    return grid(cells, row_labels=names, col_labels=columns, slant=True, caption=caption)


def stones(known: Known, game: Any, seat: str | None) -> Board | None:
    """Breakthrough, othello and go."""
    lines = first(known)
    found = lettered(lines)
    if found is None:
        return None
    columns, names, rows, count = found
    cells = [[_stone(sign, disc=True) for sign in row] for row in rows]
    checkered = any(sign in "wb" for row in rows for sign in row)
    caption = _caption(lines[count:], known)
    return grid(cells, row_labels=names, col_labels=columns, checkered=checkered, caption=caption)


def chess(known: Known, game: Any, seat: str | None) -> Board | None:
    """Chess, with figures."""
    lines = first(known)
    found = lettered(lines)
    if found is None:
        return None
    columns, names, rows, count = found
    cells = [
        [cell(FIGURES[sign], "first" if sign.isupper() else "second") if sign in FIGURES else cell() for sign in row]
        for row in rows
    ]
    caption = _caption(lines[count:], known)
    return grid(cells, row_labels=names, col_labels=columns, checkered=True, caption=caption)


def columns(known: Known, game: Any, seat: str | None) -> Board | None:
    """Connect four: the last line has the numbers of the columns."""
    lines = first(known)
    rows = [line.split() for line in lines]
    numbers = next((at for at, row in enumerate(rows) if row and all(sign.isdigit() for sign in row)), None)
    if not numbers:
        return None
    cells = [[_stone(sign, disc=True) for sign in row] for row in rows[:numbers]]
    return grid(cells, col_labels=rows[numbers], caption=_caption(lines[numbers + 1 :], known))


def signs(known: Known, game: Any, seat: str | None) -> Board | None:
    """OpenSpiel's own drawings: one character a cell, a number before each row perhaps, letters below."""
    lines = [line for line in first(known) if line]
    rows = [line for line in lines if re.fullmatch(r"\d*[^\sa-z:()]{2,}[a-z]*|\d*[.o+*OXx#8]+", line)]
    if len(rows) < 3 or len({len(row.lstrip("0123456789")) for row in rows}) != 1:
        return None
    letters = next((list(line.strip()) for line in lines if re.fullmatch(r" [a-z]+", line)), [])
    names = [match[0] for row in rows if (match := re.match(r"\d+", row))]
    marks = {"o": "first", "O": "first", "8": "first", "+": "second", "*": "second", "X": "second", "x": "second"}
    cells = [
        [cell("" if sign == "." else sign, "wall" if sign == "#" else marks.get(sign)) for sign in body]
        for body in (row.lstrip("0123456789") if names else row for row in rows)
    ]
    return grid(cells, row_labels=names, col_labels=letters, checkered=True)


def mancala(known: Known, game: Any, seat: str | None) -> Board | None:
    """Six pits a side between two stores."""
    lines = first(known)
    if len(lines) < 3 or not re.fullmatch(r"\d+-+\d+", lines[1]):
        return None
    above, below = (re.findall(r"\d+", lines[row]) for row in (0, 2))
    left, right = re.findall(r"\d+", lines[1])
    middle = [cell(left, "second"), *([cell("", "wall")] * len(above)), cell(right, "first")]
    rows = [
        [cell("", "wall"), *(cell(seeds) for seeds in above), cell("", "wall")],
        middle,
        [cell("", "wall"), *(cell(seeds) for seeds in below), cell("", "wall")],
    ]
    return grid(rows, caption="Pits 1 to 6 are below, from the left; pits 8 to 13 above, from the right.")


def piles(known: Known, game: Any, seat: str | None) -> Board | None:
    """Nim: one row a pile."""
    found = [re.fullmatch(r"(pile \d+): (\d+)", line) for line in first(known)]
    sizes = [(match[1], int(match[2])) for match in found if match]
    if not sizes:
        return None
    width = max(7, *(size for _, size in sizes))
    cells = [[cell("●", "first") if at < size else cell() for at in range(width)] for _, size in sizes]
    return grid(cells, row_labels=[f"{name}: {size}" for name, size in sizes])


def backgammon(known: Known, game: Any, seat: str | None) -> Board | None:
    """Twenty-four points, the bar in the middle."""
    lines = first(known)
    if len(lines) < 5 or "|" not in lines[1] or "|" not in lines[2]:
        return None
    rows = []
    for line in lines[:4]:
        left, right = (part.split() for part in line.split("|"))
        rows.append([*left, "", *right])
    cells = [
        [
            cell("", "wall") if at == 6 else cell("" if sign == "." else sign, TONE.get(sign[:1]))
            for at, sign in enumerate(row)
        ]
        for row in rows[1:3]
    ]
    numbers = [[cell(sign, "muted") if sign else cell("", "wall") for sign in row] for row in (rows[0], rows[3])]
    return grid([numbers[0], *cells, numbers[1]], caption=_caption(lines[4:], known))


def battleship(known: Known, game: Any, seat: str | None) -> Board | None:
    """Own ships on the left, own shots on the right; for all seats, the ships of both."""
    read = []
    for text in known.values():
        lines = words(text)
        heads = [at for at, line in enumerate(lines) if line.startswith("Your ")]
        read.append([found for at in heads if (found := lettered(lines[at + 1 :])) is not None])
    read = [boards or [_empty_sea(game)] for boards in read]
    drawn = [boards[0] for boards in read] if seat is None else read[0]
    heights = {len(rows) for _, _, rows, _ in drawn}
    if len(heights) != 1:
        return None
    letters: list[str] = []
    cells: list[list[Cell]] = [[] for _ in range(heights.pop())]
    for at, (columns_, _, rows, _) in enumerate(drawn):
        if at:
            letters.append("")
        letters += columns_
        for line, row in zip(cells, rows, strict=True):
            line += [cell("", "wall")] if at else []
            line += [_sea(sign, shots=at == 1 and seat is not None) for sign in row]
    caption = " and ".join(f"{name}'s ships" for name in known) if seat is None else _CAPTIONS[len(drawn)]
    return grid(cells, row_labels=drawn[0][1], col_labels=letters, caption=caption)


def _empty_sea(game: Any) -> tuple[list[str], list[str], list[list[str]], int]:
    """Before there is a ship."""
    rules = game.spiel_game.get_parameters()
    height, width = rules["board_height"], rules["board_width"]
    letters = [chr(ord("A") + column) for column in range(width)]
    return letters, [str(row + 1) for row in range(height)], [["."] * width for _ in range(height)], 0


_CAPTIONS = {1: "Your ships.", 2: "Your ships on the left, your shots on the right."}


def _sea(sign: str, *, shots: bool) -> Cell:
    if sign == ".":
        return cell()
    if shots:
        return {"o": cell("○", "muted"), "x": cell("x", "bad"), "s": cell("s", "good")}.get(sign, cell(sign))
    return cell("○", "muted") if sign == "*" else cell(sign, "bad" if sign.isupper() else "first")


def coins(known: Known, game: Any, seat: str | None) -> Board | None:
    """The coin game's map."""
    lines = first(known)
    rows = [line.split() for line in lines]
    size = len(rows[0])
    count = next(
        (at for at, row in enumerate(rows) if len(row) != size or any(len(sign) > 1 for sign in row)), len(rows)
    )
    if count < 2:
        return None
    tones = {"0": "first", "1": "second"}
    cells = [[cell("" if sign == "." else sign, tones.get(sign)) for sign in row] for row in rows[:count]]
    return grid(cells, caption=_caption(lines[count:], known))
