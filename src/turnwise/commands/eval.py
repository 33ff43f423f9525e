"""`turnwise eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from turnwise.commands.declare import OVERRIDES, Json, examples, new_app
from turnwise.commands.errors import plain_errors

app = new_app()


@app.command(
    context_settings=OVERRIDES,
    epilog=examples(
        "turnwise eval runs/kuhn --opponents random,optimal",
        "turnwise eval openai:gpt-5-mini env=tic_tac_toe --games 20 --json",
    ),
)
def evaluate(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run folder, a checkpoint, a model folder, or openai:MODEL.")],
    opponents: Annotated[
        str, typer.Option(help="Whom to play: random,optimal,mcts(100),FOLDER,openai:MODEL")
    ] = "random",
    games: Annotated[int, typer.Option(help="Games per opponent, seats swapped.")] = 1000,
    prefixes: Annotated[int, typer.Option(help="Sampled replies per information state; 0: sum the known ones.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure how well an agent plays.

    NashConv where the game can be enumerated, and win rates with 95% intervals. Further settings as KEY=VALUE.
    """
    from turnwise.algorithms.evaluation.folder import evaluate_folder, print_evaluation

    with plain_errors():
        found = evaluate_folder(run, ctx.args, opponents.split(","), games, prefixes)
        print_evaluation(found, as_json=as_json)
