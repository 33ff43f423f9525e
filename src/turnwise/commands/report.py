"""`turnwise report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from turnwise.commands.declare import examples, new_app
from turnwise.commands.errors import plain_errors

app = new_app()


@app.command(epilog=examples("turnwise report runs/kuhn"))
def report(run: Annotated[Path, typer.Argument(help="A run folder.")]) -> None:
    """Write the report page of a run again."""
    from turnwise.algorithms.reporting.report import write_report

    with plain_errors():
        typer.echo(f"report: {write_report(run)}")
