"""`turnwise doctor`: its words are read without typer, see `turnwise.plain`."""

from __future__ import annotations

from typing import Annotated

import typer

from turnwise.commands.declare import FORWARDED, new_app
from turnwise.plain import run_plain

app = new_app()


@app.command(context_settings=FORWARDED, add_help_option=False)
def doctor(words: Annotated[list[str] | None, typer.Argument(metavar="WORDS")] = None) -> None:
    """Say what works on this machine, and what to do."""
    raise typer.Exit(run_plain("doctor", words or []))
