"""How a command is declared: `new_app`, `examples`, and what the commands share.

A command NAME lies in `turnwise/commands/NAME.py`, which imports nothing but typer and the standard library when it is
loaded, and holds an `app`:

    app = new_app()

    @app.command(epilog=examples("turnwise view runs"))
    def view(path: ...) -> None:
        \"\"\"Open runs in the browser.\"\"\"
        with plain_errors():
            ...

Its line in `turnwise.cli.COMMANDS` repeats the first line of that docstring. Exit codes: 0 fine, 1 found wanting, 2
cannot be asked, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from turnwise.commands import completion

FORWARDED: dict[str, Any] = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Context of a command whose words another parser reads."""
OVERRIDES: dict[str, Any] = {"allow_extra_args": True}
"""Context of a command that takes more words than it declares."""
Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE", help="Settings, and GROUP=NAME.", autocompletion=completion.settings, show_default=False
    ),
]
"""Settings of a run, as words."""
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def new_app(**settings: Any) -> typer.Typer:
    """What holds one command, or with `app.callback()` a group of them. Its help is plain text."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **settings)


def examples(*lines: str) -> str:
    """The end of a help: these command lines, as they stand."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))
