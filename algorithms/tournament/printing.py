"""A tournament on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def print_tournament(result: Mapping[str, Any]) -> None:
    """The standings, the matrix of payoffs, and what there is to say."""
    from rich.console import Console

    console = Console()
    console.print(_standings(result), "")
    if any(row["nash_share"] is not None or row["nash_conv"] is not None for row in result["players"]):
        console.print(_meta(result), "")
    if len(result["players"]) <= 12:
        console.print(_matrix(result), "")
    for note in result["notes"]:
        console.print(f"note: {note}", markup=False)


def _standings(result: Mapping[str, Any]) -> Any:
    table = _table(
        f"{result['env']['id']}, {result['games_per_pair']} games a pair, 95% intervals",
        ("player", "Elo", "skill", "W-D-L", "return", "invalid"),
    )
    for row in result["players"]:
        table.add_row(
            _text(row["name"]),
            f"{row['elo']:.0f} ({row['elo_interval'][0]:.0f} to {row['elo_interval'][1]:.0f})",
            f"{row['skill']:.1f} ± {(row['skill_interval'][1] - row['skill_interval'][0]) / 2:.1f}",
            f"{row['wins']}-{row['draws']}-{row['losses']}",
            _number(row["mean_return"], "+.3f"),
            _number(row["invalid_rate"], ".1%"),
        )
    return table


def _meta(result: Mapping[str, Any]) -> Any:
    """The players as moves of a game of their own; empty columns where pairs have not played, or nothing is known."""
    table = _table(
        "against the equilibrium of the players, and on their own",
        ("player", "share of it", "return against it", "alpha-rank", "NashConv"),
    )
    for row in result["players"]:
        ends = row["nash_rating_interval"]
        spread = "" if ends is None else f" ({ends[0]:+.3f} to {ends[1]:+.3f})"
        table.add_row(
            _text(row["name"]),
            _number(row["nash_share"], ".0%"),
            _number(row["nash_rating"], "+.3f") + spread,
            _number(row["alpha_rank"], ".0%"),
            _number(row["nash_conv"], ".3f"),
        )
    return table


def _table(title: str, columns: Sequence[str]) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in columns:
        who = column in ("player", "")
        width = 12 if column == "player" else None
        table.add_column(column, justify="left" if who else "right", no_wrap=not who, min_width=width)
    return table


def _text(name: str) -> Any:
    """A name as it stands, whatever brackets it holds."""
    from rich.text import Text

    return Text(name)


def _matrix(result: Mapping[str, Any]) -> Any:
    from rich.markup import escape

    matrix = result["matrix"]
    order = [matrix["names"].index(row["name"]) for row in result["players"]]
    names = [matrix["names"][place] for place in order]
    table = _table("mean return of the row against the column", ("", *map(escape, names)))
    for row in order:
        values: Sequence[float | None] = [matrix["mean"][row][column] for column in order]
        table.add_row(_text(matrix["names"][row]), *(_number(value, "+.3f") for value in values))
    return table


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
