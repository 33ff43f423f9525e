"""`turnwise sft`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from turnwise.commands.declare import Json, Settings, examples, new_app
from turnwise.commands.errors import plain_errors
from turnwise.commands.train import new_folder

app = new_app()


@app.command(
    epilog=examples("turnwise sft --out models/kuhn env=kuhn_poker"),
)
def sft(
    out: Annotated[Path, typer.Option(help="Folder for the model.", metavar="FOLDER")],
    words: Settings = None,
    as_json: Json = False,
) -> None:
    """Only the warm start: a model that has seen scripted games.

    Settings are given as for turnwise train, whose help lists them.
    """
    from turnwise.algorithms.checkpoint import save_weights
    from turnwise.algorithms.compose import compose, run_settings
    from turnwise.algorithms.startup import fresh_policy, precision

    with plain_errors():
        settings = run_settings(compose(words or []))
        if not settings.model.sft.steps:
            raise ValueError("nothing to do with model.sft.steps=0; give a number of updates")
        folder = new_folder(str(out), "")
        with precision(settings):
            policy = fresh_policy(settings, partial(typer.echo, err=as_json))
        save_weights(folder, policy.model, policy.tokenizer)
        made = {"model": str(folder), "env": settings.env.id, "steps": settings.model.sft.steps}
        typer.echo(json.dumps(made, indent=1) if as_json else f"model: {folder}")
