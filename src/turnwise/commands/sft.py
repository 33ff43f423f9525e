"""`turnwise sft`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from turnwise.commands.declare import OVERRIDES, examples, new_app
from turnwise.commands.errors import plain_errors
from turnwise.commands.train import new_folder

app = new_app()


@app.command(context_settings=OVERRIDES, epilog=examples("turnwise sft --out models/kuhn env=kuhn_poker"))
def sft(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the model.", metavar="FOLDER")],
) -> None:
    """Only the warm start: a model that has seen scripted games.

    Settings are given as for turnwise train.
    """
    from turnwise.algorithms.checkpoint import save_weights
    from turnwise.algorithms.compose import compose, run_settings
    from turnwise.algorithms.startup import fresh_policy, precision

    with plain_errors():
        settings = run_settings(compose(ctx.args))
        if not settings.model.sft.steps:
            raise ValueError("nothing to do with model.sft.steps=0; give a number of updates")
        folder = new_folder(str(out), "")
        with precision(settings):
            policy = fresh_policy(settings, typer.echo)
        save_weights(folder, policy.model, policy.tokenizer)
        typer.echo(f"model: {folder}")
