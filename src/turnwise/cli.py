"""The `turnwise` command: which commands there are. Each is a file in `commands`, loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from turnwise.near import near

UsageError: Any = typer.BadParameter.__mro__[1]
"""typer gives no name to it, and where it lies depends on typer's version."""

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

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Raises typer.Exit on a command that there is not, with the nearest."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            _refuse(f"there is no command {args[0]}{near(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Words that cannot be read are answered in one line."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            if not error.format_message() or type(error).__name__ == "NoArgsIsHelpError":
                raise
            _refuse(_told(error), error.ctx or ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """One screen: a line per command."""
        formatter.write_usage(ctx.command_path, "COMMAND [OPTIONS] [WORDS]")
        formatter.write_text(self.help or "")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_dl(list(COMMANDS.items()))
        formatter.write_paragraph()
        formatter.write_text(CLOSING)


def _told(error: Any) -> str:
    """What is wrong with the words, in ours."""
    if type(error).__name__ == "NoSuchOption":
        options = [name for parameter in error.ctx.command.params for name in parameter.opts]
        return f"there is no option {error.option_name}{near(error.option_name, options)}"
    if type(error).__name__ == "NoSuchCommand" or error.message.startswith("No such command"):
        word, known = error.message.split("'")[1], error.ctx.command.list_commands(error.ctx)
        return f"there is no command {word}{near(word, known)}"
    return " ".join(error.format_message().split())


def _refuse(text: str, ctx: Any) -> NoReturn:
    asked = " ".join(["turnwise", *ctx.command_path.split()[1:]])  # however it was started
    typer.echo(f"turnwise: {text} ({asked} --help)", err=True)
    raise typer.Exit(2)


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
