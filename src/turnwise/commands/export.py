"""`turnwise export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from turnwise.commands.declare import Json, examples, new_app
from turnwise.commands.errors import plain_errors

app = new_app()


@app.command(
    epilog=examples(
        "turnwise export runs/kuhn --to sft --out kuhn_sft.jsonl --filter 'return>0'",
        "turnwise export runs/kuhn --to dpo --out kuhn_dpo.jsonl",
        "turnwise export runs/kuhn --to datasets --out kuhn_episodes --filter 'step>=100'",
        "turnwise export runs/kuhn --to hf --out models/kuhn",
    )
)
def export(
    source: Annotated[Path, typer.Argument(help="A run folder, or a file of episodes.")],
    to: Annotated[str, typer.Option(help="sft, dpo, jsonl, parquet, datasets, inspect or hf (the model).")],
    out: Annotated[Path, typer.Option(help="File or folder to write.")],
    conditions: Annotated[
        list[str] | None, typer.Option("--filter", help="As return>0, status=ok, step>=100; all must hold.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Whose seats, in sft and dpo; else the learner's.")] = None,
    step: Annotated[int | None, typer.Option(help="Checkpoint, with --to hf; else the newest.")] = None,
    as_json: Json = False,
) -> None:
    """Write episodes or a model for other programs."""
    with plain_errors():
        from turnwise.interchange.export import export as write

        found = write(source, to, out, conditions=conditions or (), agent=agent, step=step)
        if as_json:
            typer.echo(json.dumps(found))
        elif to == "hf":
            typer.echo(f"model of step {found['step']}: {out}")
        else:
            typer.echo(f"{found['rows']:,} rows from {found['episodes']:,} episodes: {out}")
