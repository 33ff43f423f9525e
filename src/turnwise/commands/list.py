"""`turnwise list`."""

from __future__ import annotations

from typing import Annotated

import typer

from turnwise.commands.completion import kinds
from turnwise.commands.declare import examples, new_app
from turnwise.commands.errors import plain_errors

app = new_app()


@app.command(
    epilog=examples("turnwise list envs --family puzzles", "turnwise list algorithms", "turnwise list models --json")
)
def list_names(
    what: Annotated[str, typer.Argument(help="envs, agents, algorithms, models or experiments", autocompletion=kinds)],
    family: Annotated[str | None, typer.Option(help="Only environments of this family.", metavar="NAME")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all that an environment can do.")] = False,
) -> None:
    """Say what there is: envs, agents, algorithms, models."""
    from turnwise.algorithms.catalogue import catalogue

    with plain_errors():
        typer.echo(catalogue(what, family=family, as_json=as_json))
