"""`turnwise new`: its words are read without typer, see `turnwise.plain`."""

from __future__ import annotations

from typing import Annotated

import typer

from turnwise.commands.completion import packages
from turnwise.commands.declare import FORWARDED, new_app
from turnwise.plain import run_plain

app = new_app()


@app.command(context_settings=FORWARDED, add_help_option=False)
def new(words: Annotated[list[str] | None, typer.Argument(metavar="WORDS", autocompletion=packages)] = None) -> None:
    """Write a package with an environment of your own."""
    raise typer.Exit(run_plain("new", words or []))
