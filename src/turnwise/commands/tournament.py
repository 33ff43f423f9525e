"""`turnwise tournament`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from turnwise.commands.declare import OVERRIDES, Json, examples, new_app
from turnwise.commands.errors import plain_errors

app = new_app()


@app.command(
    context_settings=OVERRIDES,
    epilog=examples(
        "turnwise tournament KuhnPoker-LLM runs/a runs/a:100 random optimal --games 200",
        "turnwise tournament tic_tac_toe runs/a runs/b random 'mcts(100)' --swiss 3",
        "turnwise tournament KuhnPoker-LLM random optimal human --games 4",
        "turnwise tournament KuhnPoker-LLM runs/a random --saved runs/play",
    ),
)
def tournament(
    ctx: typer.Context,
    env: Annotated[str, typer.Argument(help="An environment of two seats.", metavar="ENV")],
    players: Annotated[
        list[str],
        typer.Argument(
            help="A run, RUN:STEP, a checkpoint or model folder, a scripted or null agent, openai:MODEL, human; and "
            "settings as KEY=VALUE.",
            metavar="PLAYER...",
        ),
    ],
    games: Annotated[int, typer.Option(help="Games of each pair, seats swapped.")] = 200,
    swiss: Annotated[
        int | None, typer.Option(help="Rounds among players that stand alike; else all pairs.", metavar="ROUNDS")
    ] = None,
    seed: Annotated[int, typer.Option(help="All pairs play the deals that follow from it.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the result; the same again goes on with it.", metavar="DIR")
    ] = None,
    saved: Annotated[
        Path | None, typer.Option(help="Saved games, such as a person's, that count too.", metavar="PATH")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let agents play each other, and rate them.

    Every pair plays the same deals from both seats. Elo and TrueSkill-like ratings, payoffs, Nash averaging and
    alpha-rank for games in which nobody is best, NashConv where it can be computed. Pairs that have played in the
    folder do not play again.
    """
    with plain_errors():
        result, folder = _play(env, [*players, *ctx.args], games, swiss, seed, out, saved)
        if as_json:
            import json

            typer.echo(json.dumps(result, indent=1))
            return
        from turnwise.algorithms.tournament.printing import print_tournament

        print_tournament(result)
        typer.echo(f"written: {folder}/tournament.json, matrix.png, matrix.svg, episodes/")


def _play(
    env: str, words: list[str], games: int, swiss: int | None, seed: int, out: Path | None, saved: Path | None
) -> tuple[dict[str, Any], Path]:
    from turnwise.algorithms.evaluation.players import players, split_words
    from turnwise.algorithms.tournament.picture import PICTURES, draw
    from turnwise.algorithms.tournament.settings import TournamentSettings, env_settings
    from turnwise.algorithms.tournament.tournament import tournament as play

    named, overrides = split_words(words)
    people = players(named, [word for word in overrides if not word.startswith("env.")])
    rules = env_settings(env, people, overrides)
    settings = TournamentSettings(env=rules, games=games, swiss=swiss, seed=seed)
    folder = out or Path("runs/tournaments") / rules.id.replace("/", "-")
    result = play(settings, people, folder, say=lambda text: typer.echo(text, err=True), ask=_ask, saved=saved)
    draw(result, [folder / name for name in PICTURES])
    return result, folder


def _ask(request: Any) -> str:
    """Ask the person at the terminal; Ctrl-C leaves the tournament, which goes on when it is begun again."""
    typer.echo(f"\n{request.messages[-1].content}\n", err=True)
    try:
        return str(typer.prompt(f"you are {request.seat}", err=True))
    except typer.Abort:
        raise KeyboardInterrupt from None
