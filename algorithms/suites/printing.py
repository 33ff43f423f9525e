"""The result of a suite on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def print_suite(result: Mapping[str, Any]) -> None:
    """A table per agent, the comparisons, and what was flagged."""
    from rich.console import Console

    console = Console()
    nulls = {one["name"]: one for one in result["nulls"]}
    flagged = {(flag["player"], flag["task"]): flag for flag in result["flags"]}
    for one in result["players"]:
        console.print(_player_table(one, nulls, flagged), "")
        console.print(_effort_table(one), "")
    for compared in result["comparisons"]:
        console.print(_comparison_table(compared), "")
    for flag in result["flags"]:
        console.print(f"note: {flag['text']}", markup=False)


def print_transfer(result: Mapping[str, Any]) -> None:
    """The scores of every model beside those without skill, the comparisons, and what was flagged."""
    from rich.console import Console

    console = Console()
    for one in result["players"]:
        score = f"score {one['score']:.3f}{_ends(one['score_interval'])}"
        table = _table(f"{one['name']}: {score}; 95% intervals", ("task", "right", "best null", "questions"))
        for name, of in one["tasks"].items():
            nulls = result["nulls"].get(name, {})
            best = max(nulls, key=lambda null: nulls[null], default="")
            null = f"{best} {nulls[best]:.3f}" if best else ""
            table.add_row(name, f"{of['value']:.3f}{_ends(of['interval'])}", null, str(of["questions"]))
        console.print(table, "")
    for compared in result["comparisons"]:
        console.print(_comparison_table(compared), "")
    for flag in result["flags"]:
        console.print(f"note: {flag['text']}", markup=False)


def _player_table(one: Mapping[str, Any], nulls: Mapping[str, Any], flagged: Mapping[Any, Any]) -> Any:
    """What an agent is worth, beside the best of those without skill."""
    score = f"score {one['score']:.3f}{_ends(one['score_interval'])}"
    cost = f", cost {one['cost']:g}" if one["cost"] else ""
    table = _table(f"{one['name']}: {score}{cost}; 95% intervals", ("task", "value", "best null", "invalid"))
    for name, of in one["tasks"].items():
        table.add_row(
            f"{name} !" if (one["name"], name) in flagged else name,
            f"{of['value']:.3f}{_ends(of['interval'])}",
            _best(name, nulls),
            f"{of['invalid_rate']:.1%}",
        )
        for level, part in of["levels"].items():
            if len(of["levels"]) > 1:
                table.add_row(f"  {level}", f"{part['value']:.3f}{_ends(part['interval'])}")
    return table


def _effort_table(one: Mapping[str, Any]) -> Any:
    """What it took, per game."""
    table = _table("per game", ("task", "measure", "games", "pass@k", "turns", "tokens", "tools", "stopped"))
    for name, of in one["tasks"].items():
        table.add_row(
            name,
            of["measure"],
            str(of["games"]),
            _passes(of["pass_at"]),
            f"{of['turns']:.1f}",
            "" if of["tokens"] is None else f"{of['tokens']:.0f}",
            f"{of['tool_calls']:.1f}" if of["tool_calls"] else "",
            f"{of['stopped']:.0%}",
        )
    return table


def _table(title: str, columns: Sequence[str]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), box=None, title_justify="left", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, justify="left" if column in ("task", "measure") else "right", no_wrap=True)
    return table


def _best(task: str, nulls: Mapping[str, Any]) -> str:
    """The null agent that does best at a task."""
    if not nulls:
        return ""
    name = max(nulls, key=lambda null: nulls[null]["tasks"][task]["value"])
    return f"{name} {nulls[name]['tasks'][task]['value']:.3f}"


def _passes(found: Mapping[str, Any] | None) -> str:
    """That of the most tries."""
    k = max(found, key=int) if found else ""
    return f"@{k} {found[k]['value']:.3f}" if found else ""


def _comparison_table(compared: Mapping[str, Any]) -> Any:
    overall = compared["score"]
    title = f"{compared['first']} minus {compared['second']}, on the same problems"
    columns = ("task", "difference", "problems")
    table = _table(f"{title}: score {overall['mean']:+.3f}{_ends(overall['interval'])}", columns)
    for name, of in compared["tasks"].items():
        table.add_row(name, f"{of['mean']:+.3f}{_ends(of['interval'])}", str(of["problems"]))
    return table


def _ends(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f" ({interval[0]:.2f} to {interval[1]:.2f})"
