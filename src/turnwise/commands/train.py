"""`turnwise train`."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnwise.commands.declare import OVERRIDES, examples, new_app
from turnwise.commands.errors import plain_errors

if TYPE_CHECKING:
    from turnwise.algorithms.settings import RunSettings
    from turnwise.algorithms.world import World

app = new_app()


@app.command(
    context_settings=OVERRIDES,
    epilog=examples(
        "turnwise train",
        "turnwise train env=kuhn_poker algorithm=spiral seed=1",
        "turnwise train env=leduc_poker steps=500 --dry-run",
        "turnwise train --resume runs/kuhn",
    ),
)
def train(
    ctx: typer.Context,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run folder.", metavar="RUN")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the effective settings and stop.")] = False,
) -> None:
    """Train an agent.

    Any setting is given as KEY=VALUE; env, agent, engine, model, algorithm, curriculum and experiment choose groups of
    settings.
    """
    from turnwise.algorithms.compose import compose, load_config, run_settings
    from turnwise.algorithms.fit import require_fitting_games
    from turnwise.algorithms.sweep import run_sweep, sweep_of

    with plain_errors():
        if resume is not None:
            if ctx.args:
                raise ValueError(f"a resumed run keeps its settings: leave out {' '.join(ctx.args)}")
            return _train(load_config(resume), resume)
        config = compose(ctx.args)
        settings = run_settings(config)
        sweep = sweep_of(config)
        if sweep is None:
            require_fitting_games(settings)  # a sweep's runs ask for themselves
        if dry_run:
            return _show_plan(config, settings)
        if sweep is not None:
            return run_sweep(sweep, ctx.args, settings.run_dir, typer.echo)
        return _train(config, None)


def _show_plan(config: dict[str, Any], settings: RunSettings) -> None:
    """The settings on standard output, and what memory they take beside it."""
    from turnwise.agents.pretrained import ModelError
    from turnwise.algorithms.compose import dump_config
    from turnwise.algorithms.memory_plan import plans_of, require_room

    typer.echo(dump_config(config))
    try:
        plans = plans_of(settings, int(os.environ.get("WORLD_SIZE", "1")))
    except ModelError as error:
        typer.echo(f"memory is not planned: {error}", err=True)
        return
    for plan in plans:
        for line in plan.lines():
            typer.echo(line, err=True)
    for plan in plans:
        require_room(plan)


def _train(config: dict[str, Any], run_dir: Path | None) -> None:
    """Begin a run, or go on with the one in a folder, with everything shown by one process."""
    from turnwise.algorithms.compose import run_settings
    from turnwise.algorithms.launch.start import meeting

    settings = run_settings(config)
    with meeting(settings) as world:
        if run_dir is None:
            new = new_folder(settings.run_dir, settings.title) if world.is_first else None
            with _taken_back(world.share(new, "the name of the run folder")) as folder:
                return _train_in(folder, config, settings, world)
        return _train_in(run_dir, config, settings, world)


def _train_in(run_dir: Path, config: dict[str, Any], settings: RunSettings, world: World) -> None:
    from turnwise.algorithms.checkpoint import steps_saved
    from turnwise.algorithms.compose import CONFIG, dump_config
    from turnwise.algorithms.files import write_atomically
    from turnwise.algorithms.launch.start import launch
    from turnwise.algorithms.reporting.progress import Progress, summary_table
    from turnwise.algorithms.startup import say_nothing

    if not world.is_first:
        launch(settings, run_dir, lambda record: None, say_nothing, world)
        return
    typer.echo(f"run folder: {run_dir}")
    if not (run_dir / CONFIG).exists():
        run_dir.mkdir(parents=True, exist_ok=True)
        write_atomically(run_dir / CONFIG, dump_config(config))
    done = steps_saved(run_dir)
    last, budget = done[-1] if done else 0, settings.token_budget
    with Progress(settings.steps, done_steps=last, token_budget=budget) as progress:
        summary = launch(settings, run_dir, progress.update, typer.echo, world)
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
