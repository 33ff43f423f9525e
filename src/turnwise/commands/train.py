"""`turnwise train`."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnwise.commands.declare import Settings, examples, new_app
from turnwise.commands.errors import plain_errors

if TYPE_CHECKING:
    from turnwise.algorithms.settings import RunSettings
    from turnwise.algorithms.world import World

app = new_app()


@app.command(
    add_help_option=False,
    epilog=examples(
        "turnwise train",
        "turnwise train env=leduc_poker algorithm=spiral seed=1",
        "turnwise train env=kuhn_poker model=Qwen/Qwen3-0.6B engine=vllm --dry-run",
        "turnwise train env=leduc_poker --help     the settings under this choice",
        "turnwise train --resume runs/kuhn",
    ),
)
def train(
    ctx: typer.Context,
    words: Settings = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run folder.", metavar="RUN")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done (settings, memory, a step in words), and stop.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary (with --dry-run: the plan) as JSON, progress on stderr.")
    ] = False,
    asked_help: Annotated[bool, typer.Option("--help", help="Show this, and the settings there are.")] = False,
) -> None:
    """Train an agent.

    Any setting is given as KEY=VALUE; env, agent, engine, model, algorithm, curriculum and experiment choose groups of
    settings.
    """
    if asked_help:
        return _explain(ctx, words or [])
    from turnwise.algorithms.compose import compose, load_config, run_settings
    from turnwise.algorithms.fit import require_fitting_games
    from turnwise.algorithms.sweep import run_sweep, sweep_of

    say = partial(typer.echo, err=as_json)
    overrides = words or []
    with plain_errors():
        if resume is not None:
            if overrides:
                raise ValueError(f"a resumed run keeps its settings: leave out {' '.join(overrides)}")
            return _train(load_config(resume), resume, as_json=as_json)
        config = compose(overrides)
        settings = run_settings(config)
        sweep = sweep_of(config)
        if sweep is None:
            require_fitting_games(settings)  # a sweep's runs ask for themselves
        if dry_run:
            return _show_plan(config, settings, as_json=as_json)
        if sweep is None:
            return _train(config, None, as_json=as_json)
        table = run_sweep(sweep, overrides, settings.run_dir, say)
        if as_json:
            typer.echo(json.dumps(table, indent=1))
        return None


def _explain(ctx: typer.Context, overrides: list[str]) -> None:
    """The help, and below it the settings under the choices that stand beside --help."""
    from turnwise.algorithms.explained import explanation

    typer.echo(ctx.get_help())
    with plain_errors():
        typer.echo("\n" + "\n".join(explanation(overrides)))


def _show_plan(config: dict[str, Any], settings: RunSettings, *, as_json: bool) -> None:
    """The settings on standard output; beside it what memory they take, and what a step does."""
    from turnwise.agents.pretrained import ModelError
    from turnwise.algorithms.compose import dump_config
    from turnwise.algorithms.memory_plan import plans_of, require_room
    from turnwise.algorithms.outlook import outlook

    words = outlook(settings)
    plans, memory = [], []
    try:
        plans = plans_of(settings, int(os.environ.get("WORLD_SIZE", "1")))
        memory = [line for plan in plans for line in plan.lines()]
    except ModelError as error:
        memory = [f"memory is not planned: {error}"]
    if as_json:
        typer.echo(json.dumps({"config": config, "memory": memory, "steps": words}, indent=1))
    else:
        typer.echo(dump_config(config))
        typer.echo("\n".join([*memory, "", *words]), err=True)
    for plan in plans:
        require_room(plan)


def _train(config: dict[str, Any], run_dir: Path | None, *, as_json: bool) -> None:
    """Begin a run, or go on with the one in a folder, with everything shown by one process."""
    from turnwise.algorithms.compose import run_settings
    from turnwise.algorithms.launch.start import meeting

    settings = run_settings(config)
    with meeting(settings) as world:
        if run_dir is None:
            new = new_folder(settings.run_dir, settings.title) if world.is_first else None
            with _taken_back(world.share(new, "the name of the run folder")) as folder:
                return _train_in(folder, config, settings, world, as_json=as_json)
        return _train_in(run_dir, config, settings, world, as_json=as_json)


def _train_in(run_dir: Path, config: dict[str, Any], settings: RunSettings, world: World, *, as_json: bool) -> None:
    from turnwise.algorithms.checkpoint import steps_saved
    from turnwise.algorithms.compose import CONFIG, dump_config
    from turnwise.algorithms.files import write_atomically
    from turnwise.algorithms.launch.start import launch
    from turnwise.algorithms.reporting.progress import Progress, summary_table
    from turnwise.algorithms.startup import say_nothing

    if not world.is_first:
        launch(settings, run_dir, lambda record: None, say_nothing, world)
        return
    say = partial(typer.echo, err=as_json)
    say(f"run folder: {run_dir}")
    if not (run_dir / CONFIG).exists():
        run_dir.mkdir(parents=True, exist_ok=True)
        write_atomically(run_dir / CONFIG, dump_config(config))
    done = steps_saved(run_dir)
    last, budget = done[-1] if done else 0, settings.token_budget
    shown = sys.stderr if as_json else sys.stdout
    with Progress(settings.steps, done_steps=last, token_budget=budget, stream=shown) as progress:
        summary = launch(settings, run_dir, progress.update, say, world)
    if as_json:
        typer.echo(json.dumps({"run_dir": str(run_dir), **summary}, indent=1))
        return
    summary_table(summary)
    typer.echo(f"report: {run_dir / 'report.html'}")


@contextmanager
def _taken_back(run_dir: Path) -> Iterator[Path]:
    """Remove a new run folder where its settings turn out not to work, so that the mended command can be given again.

    From its first checkpoint on, a folder stays whatever happens; so does one on a full disk, or of a stopped run.
    """
    try:
        yield run_dir
    except (ValueError, ImportError):
        from turnwise.algorithms.checkpoint import steps_saved

        if not steps_saved(run_dir):
            shutil.rmtree(run_dir, ignore_errors=True)
        raise


def new_folder(run_dir: str | None, title: str) -> Path:
    """Where a new run goes. Raises ValueError where something else stands there."""
    if run_dir is None:
        return Path("runs") / f"{title}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = Path(run_dir)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(
            f"{folder} is not empty; go on with turnwise train --resume {folder}, or choose another run_dir"
        )
    return folder
