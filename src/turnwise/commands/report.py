"""`turnwise report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from turnwise.commands.declare import Json, examples, new_app
from turnwise.commands.errors import plain_errors

app = new_app()


@app.command(epilog=examples("turnwise report runs/kuhn"))
def report(run: Annotated[Path, typer.Argument(help="A run folder.")], as_json: Json = False) -> None:
    """Write the report page of a run again."""
    from turnwise.algorithms.reporting.report import write_report

    with plain_errors():
        page = write_report(run)
        typer.echo(json.dumps({"report": str(page)}) if as_json else f"report: {page}")
