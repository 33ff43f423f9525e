"""What a command says of what went wrong: `plain_errors`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def plain_errors() -> Iterator[None]:
    """One message and exit code 2 for what a user can mend; a stack trace for what only we can."""
    from turnwise.agents.engine import EngineDied
    from turnwise.algorithms.checks import Lost, NotFinite, NothingPlayed
    from turnwise.algorithms.files import RunFolderError
    from turnwise.algorithms.stop import Stopped
    from turnwise.envs.core import Unsupported

    try:
        yield
    except (ValueError, ImportError, OSError, RunFolderError, NotFinite, NothingPlayed, Lost, Unsupported) as error:
        typer.echo(f"turnwise: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(2) from error
    except EngineDied as error:
        typer.echo(f"turnwise: {error} (a run goes on with turnwise train --resume RUN)", err=True)
        raise typer.Exit(2) from error
    except Stopped as stopped:
        typer.echo(f"turnwise: {stopped.text}", err=True)
        raise typer.Exit(stopped.exit_code) from None
    except KeyboardInterrupt:
        typer.echo("turnwise: stopped (a run goes on with turnwise train --resume RUN)", err=True)
        raise typer.Exit(130) from None
