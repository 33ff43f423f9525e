"""`turnwise check`: its words are read without typer, see `turnwise.plain`."""

from __future__ import annotations

import typer

from turnwise.commands.declare import FORWARDED, new_app
from turnwise.plain import run_plain

app = new_app()


@app.command(context_settings=FORWARDED, add_help_option=False)
def check(ctx: typer.Context) -> None:
    """Check what environments promise."""
    raise typer.Exit(run_plain("check", ctx.args))
