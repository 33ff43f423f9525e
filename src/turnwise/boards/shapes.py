"""The three kinds of board, and how words become them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Board = dict[str, Any]
Cell = dict[str, str | None]
Known = Mapping[str, str]
"""Seat -> the words of its board. For the view of one seat it holds that seat alone."""

TONES = (None, "first", "second", "wall", "goal", "hint", "good", "near", "bad", "muted")


def cell(text: str = "", tone: str | None = None) -> Cell:
    """One cell of a grid."""
    return {"text": text, "tone": tone}


def grid(
    cells: Sequence[Sequence[Cell]],
    *,
    row_labels: Sequence[str] = (),
    col_labels: Sequence[str] = (),
    checkered: bool = False,
    slant: bool = False,
    caption: str = "",
) -> Board:
    """A board of cells. slant: every row stands half a cell further right than the one above it."""
    return {
        "kind": "grid",
        "rows": len(cells),
        "cols": max((len(row) for row in cells), default=0),
        "cells": [list(row) for row in cells],
        "row_labels": list(row_labels) or None,
        "col_labels": list(col_labels) or None,
        "checkered": checkered,
        "slant": slant,
        "last": [],
        "caption": caption,
    }


def hand(label: str, cards: Sequence[str], note: str = "", *, hidden: int = 0) -> dict[str, Any]:
    """One row of cards, open ones and then so many that lie face down."""
    shown = [{"text": card, "hidden": False} for card in cards]
    return {"label": label, "cards": shown + [{"text": "", "hidden": True}] * hidden, "note": note}


def cards(rows: Sequence[dict[str, Any]], caption: str = "") -> Board:
    """A table with hands of cards, dice or the like."""
    return {"kind": "cards", "rows": list(rows), "caption": caption}


def text_board(known: Known) -> Board | None:
    """The words themselves; None where there are none."""
    texts = {seat: "\n".join(words(text)) for seat, text in known.items()}
    if len(set(texts.values())) == 1:
        told = next(iter(texts.values()))
    else:
        told = "\n\n".join(f"{seat}:\n{text}" for seat, text in texts.items())
    return {"kind": "text", "text": told} if told.strip() else None


def words(text: str) -> list[str]:
    """The lines of a board, without who reads it and without the legal moves."""
    return [line for line in text.split("\n") if not re.match(r"You are player_\d+\.$|Legal moves: ", line)]


def first(known: Known) -> list[str]:
    """The lines of a board that all seats see alike but for where they sit."""
    return words(next(iter(known.values())))


def lettered(lines: Sequence[str]) -> tuple[list[str], list[str], list[list[str]], int] | None:
    """(columns, row names, signs, number of lines read) of a drawing with letters above and numbers beside its rows."""
    if not lines or not re.fullmatch(r"\s*[A-Za-z]( [A-Za-z])*\s*", lines[0]):
        return None
    columns = lines[0].split()
    names: list[str] = []
    rows: list[list[str]] = []
    for line in lines[1:]:
        name, *signs = line.split()
        if not name.isdigit() or len(signs) != len(columns):
            break
        names.append(name)
        rows.append(signs)
    return (columns, names, rows, 1 + len(rows)) if rows else None


def without_you(line: str) -> str:
    """The line without its sentences on who "you" are: a board that everybody sees has none."""
    return re.sub(r" ?You (are|play) [^.]*\.", "", line).strip()
