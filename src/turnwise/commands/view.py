"""`turnwise view`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from turnwise.commands.declare import Json, examples, new_app
from turnwise.commands.errors import plain_errors

app = new_app()


@app.command(epilog=examples("turnwise view runs", "turnwise view runs/kuhn --port 8000 --no-browser"))
def view(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Run folders, folders of runs, files of episodes; none: runs.", metavar="PATH..."),
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port of this machine; none: 8642 or a free one.")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    as_json: Json = False,
) -> None:
    """Open runs and their episodes in the browser.

    Serves until Ctrl-C, to this machine alone, whoever has the address that it prints.
    """
    import secrets
    import webbrowser

    with plain_errors():
        from turnwise.view.app import make_app
        from turnwise.view.serve import HOST, listen, serve
        from turnwise.view.sources import discover, require_paths

        require_paths(paths or ())
        places, token = paths or [Path("runs")], secrets.token_urlsafe(24)
        sock = listen(port)
        number = sock.getsockname()[1]
        address = f"http://{HOST}:{number}/?token={token}"
        found = len(discover(places))
        if as_json:
            typer.echo(json.dumps({"url": address, "port": number, "token": token, "runs": found}))
        else:
            typer.echo(f"{address}\n{found} runs; Ctrl-C ends it")
        if not no_browser:
            webbrowser.open(address)
        try:
            serve(make_app(places, token=token, port=number), sock)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
