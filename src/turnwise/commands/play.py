"""`turnwise play`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnwise.commands.declare import Json, examples, new_app
from turnwise.commands.errors import plain_errors

if TYPE_CHECKING:
    from turnwise.play.setup import Setup

app = new_app()


@app.command(
    epilog=examples(
        "turnwise play KuhnPoker-LLM --opponent optimal --seat 0 --seed 1",
        "turnwise play KuhnPoker-LLM --opponent runs/kuhn",
        "turnwise play ConnectFour-LLM --opponent 'mcts(200)' --web",
        "turnwise play Wordle-LLM --kwarg level=easy",
        "printf 'bet\\ncall\\n' | turnwise play KuhnPoker-LLM --plain --json",
    )
)
def play(
    game: Annotated[str, typer.Argument(help="Id of the environment: turnwise list envs.", metavar="GAME")],
    opponent: Annotated[
        list[str] | None,
        typer.Option(
            help="A scripted agent, a run, a model folder, openai:MODEL, or SEAT=one of these; may be given "
            "several times. Default: random.",
            metavar="NAME",
        ),
    ] = None,
    seat: Annotated[str, typer.Option(help="Name or number of your seat, or random.")] = "0",
    seed: Annotated[int | None, typer.Option(help="What all chance of the game follows from.")] = None,
    kwarg: Annotated[list[str] | None, typer.Option(help="An argument of the game.", metavar="KEY=VALUE")] = None,
    invalid: Annotated[str, typer.Option(help="What an agent's invalid reply leads to.")] = "retry(2)",
    out: Annotated[Path, typer.Option(help="Folder of the transcripts.", metavar="DIR")] = Path("runs/play"),
    plain: Annotated[
        bool, typer.Option("--plain", help="Line by line; so it is too where there is no terminal.")
    ] = False,
    web: Annotated[bool, typer.Option("--web", help="In the browser.")] = False,
    port: Annotated[
        int | None, typer.Option(help="With --web: port of this machine; none: 8642 or a free one.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="With --web: only print the address.")] = False,
    as_json: Json = False,
) -> None:
    """Play against an agent.

    You may write any text; what is no legal action is refused with the reason, and you are asked again. The transcript
    is saved as an episode, also of a game that you quit.
    """
    with plain_errors():
        from turnwise.play.setup import Setup, read_kwargs, read_opponents

        setup = Setup(
            game=game,
            kwargs=read_kwargs(kwarg) if kwarg else None,
            seat=seat,
            opponents=read_opponents(opponent or ["random"]),
            seed=seed,
            invalid=invalid,
        )
        if web:
            _in_browser(setup, out, port, open_it=not no_browser)
            return
        _here(setup, out, plain=plain, as_json=as_json)


def _in_browser(setup: Setup, out: Path, port: int | None, *, open_it: bool) -> None:
    """Serve the pages, with this game begun."""
    import webbrowser

    from turnwise.play.browser import play_in_browser

    try:
        play_in_browser(setup, out, port=port, say=typer.echo, browse=webbrowser.open if open_it else None)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _here(setup: Setup, out: Path, *, plain: bool, as_json: bool) -> None:
    import json
    import sys

    from turnwise.play.session import Session

    session = Session(setup, folder=out)
    if plain or as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        _by_lines(session, quiet=as_json)
    else:
        from turnwise.play.terminal import play_terminal

        session = play_terminal(session)
        typer.echo(f"transcript: {session.state.saved}" if session.state.saved else "nothing was played")
    if session.failure is not None:
        raise session.failure
    if as_json:
        typer.echo(json.dumps(session.to_dict(), indent=1))


def _by_lines(session: Any, *, quiet: bool) -> None:
    """quiet: what is told goes to stderr, since stdout is for the result."""
    from rich.console import Console

    from turnwise.play.plain import play_plain

    console = Console(stderr=quiet, markup=False, highlight=False, emoji=False, soft_wrap=True)
    try:
        play_plain(session, console, input)
    except KeyboardInterrupt:
        saved = session.leave(timeout_s=5.0).saved
        typer.echo(f"turnwise: stopped; {f'transcript: {saved}' if saved else 'nothing was played'}", err=True)
        raise typer.Exit(130) from None
