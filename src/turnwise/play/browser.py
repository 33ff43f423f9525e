"""`turnwise play --web`: the pages of `turnwise view`, opened at a game that has begun."""

from __future__ import annotations

import secrets
import webbrowser
from collections.abc import Callable
from pathlib import Path

from turnwise.play.sessions import Sessions
from turnwise.play.setup import Setup


def play_in_browser(
    setup: Setup,
    folder: Path,
    *,
    port: int | None = None,
    say: Callable[[str], object],
    browse: Callable[[str], object] | None = webbrowser.open,
) -> None:
    """Serve until Ctrl-C, which saves what was played. browse: opens an address; None: nobody does.

    Raises what beginning the game raises, and OSError where the port is taken.
    """
    from turnwise.view.app import make_app
    from turnwise.view.serve import HOST, listen, serve

    roots = [Path("runs")] if Path("runs").is_dir() else []
    sessions = Sessions(roots, folder)
    session = sessions.start(setup)
    sock, token = listen(port), secrets.token_urlsafe(24)
    number = sock.getsockname()[1]
    address = f"http://{HOST}:{number}/?token={token}#/play/{session.id}"
    say(f"{address}\nCtrl-C ends it, and saves what was played")
    if browse is not None:
        browse(address)
    folder.mkdir(parents=True, exist_ok=True)
    serve(make_app([*roots, folder], token=token, port=number, sessions=sessions), sock)
