"""The `turnwise` command: which commands there are. Each is a file in `commands`, loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "train": "Train an agent.",
    "sft": "Only the warm start: a model that has seen scripted games.",
    "eval": "Measure how well an agent plays.",
    "tournament": "Let agents play each other, and rate them.",
    "play": "Play against an agent.",
    "list": "Say what there is: envs, agents, algorithms, models.",
    "check": "Check what environments promise.",
    "doctor": "Say what works on this machine, and what to do.",
    "new": "Write a package with an environment of your own.",
    "bench": "Compare methods at equal cost.",
    "view": "Open runs and their episodes in the browser.",
    "report": "Write the report page of a run again.",
    "export": "Write episodes or a model for other programs.",
}
"""Name -> its line in the help. `turnwise.commands.<name>` holds its `app`, see `turnwise.commands.declare`."""
CLOSING = """turnwise COMMAND --help shows its options and examples. Beside --help there are --version, and
--install-completion and --show-completion for the TAB key of bash, zsh and fish."""


class Commands(TyperGroup):
    """The commands of the table, none of them loaded before it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        found = typer.main.get_command(import_module(f"turnwise.commands.{cmd_name}").app)
        found.name = cmd_name
        return found

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """One screen: a line per command."""
        formatter.write_usage(ctx.command_path, "COMMAND [OPTIONS] [WORDS]")
        formatter.write_text(self.help or "")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_dl(list(COMMANDS.items()))
        formatter.write_paragraph()
        formatter.write_text(CLOSING)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(asked: bool) -> None:
    if asked:
        from turnwise import __version__

        typer.echo(f"turnwise {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True)] = False,
) -> None:
    """A gym and a trainer for language-model agents that act over many turns."""
