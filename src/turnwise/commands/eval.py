"""`turnwise eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from turnwise.commands.declare import Json, Settings, examples, new_app
from turnwise.commands.errors import plain_errors

app = new_app()


@app.command(
    epilog=examples(
        "turnwise eval runs/kuhn --opponents random,optimal",
        "turnwise eval openai:gpt-5-mini env=tic_tac_toe --games 20 --json",
        "turnwise eval runs/a runs/b random suite=core suite.games=20",
    ),
)
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder, a checkpoint, a model folder, or openai:MODEL.")],
    more: Settings = None,
    opponents: Annotated[
        str, typer.Option(help="Whom to play: random,optimal,mcts(100),FOLDER,openai:MODEL")
    ] = "random",
    games: Annotated[int, typer.Option(help="Games per opponent, seats swapped.")] = 1000,
    prefixes: Annotated[int, typer.Option(help="Sampled replies per information state; 0: sum the known ones.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of suites: what lies there is not played again.", metavar="DIR")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure how well an agent plays.

    NashConv where the game can be enumerated, and win rates with 95% intervals. Further settings as KEY=VALUE. With
    suite=NAME, one agent or several at all tasks of a suite, beside agents without skill; suite.KEY=VALUE changes it.
    """
    words = more or []
    with plain_errors():
        if any(word.startswith(("suite=", "suite.")) for word in words):
            return _suite([str(run), *words], out, as_json)
        from turnwise.algorithms.evaluation.folder import evaluate_folder, print_evaluation

        found = evaluate_folder(run, words, opponents.split(","), games, prefixes)
        return print_evaluation(found, as_json=as_json)


def _suite(words: list[str], out: Path | None, as_json: bool) -> None:
    """Evaluate agents at a suite."""
    from turnwise.algorithms.suites.run import evaluate_suite, print_result

    found = evaluate_suite(words, out, say=lambda text: typer.echo(text, err=True))
    if as_json:
        import json

        return typer.echo(json.dumps(found, indent=1))
    print_result(found)
    return typer.echo(f"written: {found['file']}")
