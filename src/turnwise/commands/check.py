"""`turnwise check`: its words are read without typer, see `turnwise.plain`."""

from __future__ import annotations

from typing import Annotated

import typer

from turnwise.commands.completion import environments
from turnwise.commands.declare import FORWARDED, new_app
from turnwise.plain import run_plain

app = new_app()


@app.command(context_settings=FORWARDED, add_help_option=False)
def check(
    words: Annotated[list[str] | None, typer.Argument(metavar="WORDS", autocompletion=environments)] = None,
) -> None:
    """Check what environments promise."""
    raise typer.Exit(run_plain("check", words or []))
