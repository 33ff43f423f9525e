"""The `turnwise` command: compose, build, call; nothing else happens here."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnwise.plain import run_plain

if TYPE_CHECKING:
    from turnwise.algorithms.settings import RunSettings
    from turnwise.algorithms.world import World

app = typer.Typer(
    help="A gym and a trainer for language-model agents that act over many turns.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
bench = typer.Typer(help="Benchmarks that train.", no_args_is_help=True)
app.add_typer(bench, name="bench")
_FORWARDED = {"allow_extra_args": True, "ignore_unknown_options": True}
_OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": False}


@contextmanager
def _plain_errors() -> Iterator[None]:
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


@app.command(context_settings=_OVERRIDES)
def train(
    ctx: typer.Context,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run folder.", metavar="RUN")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the effective settings and stop.")] = False,
) -> None:
    """Train an agent: turnwise train env=kuhn_poker algorithm=spiral seed=1

    Any setting is given as KEY=VALUE; env, agent, engine, model, algorithm, curriculum and experiment choose groups of
    settings.
    """
    from turnwise.algorithms.compose import compose, load_config, run_settings
    from turnwise.algorithms.fit import require_fitting_games
    from turnwise.algorithms.sweep import run_sweep, sweep_of

    with _plain_errors():
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
            new = _new_folder(settings.run_dir, settings.title) if world.is_first else None
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


def _new_folder(run_dir: str | None, title: str) -> Path:
    """Where a new run goes. Raises ValueError where something else stands there."""
    if run_dir is None:
        return Path("runs") / f"{title}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = Path(run_dir)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(
            f"{folder} is not empty; go on with turnwise train --resume {folder}, or choose another run_dir"
        )
    return folder


@app.command(context_settings=_OVERRIDES)
def sft(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the model.", metavar="FOLDER")],
) -> None:
    """Only the warm start: turnwise sft --out models/kuhn env=kuhn_poker (settings as for train)"""
    from turnwise.algorithms.checkpoint import save_weights
    from turnwise.algorithms.compose import compose, run_settings
    from turnwise.algorithms.startup import fresh_policy, precision

    with _plain_errors():
        settings = run_settings(compose(ctx.args))
        if not settings.model.sft.steps:
            raise ValueError("nothing to do with model.sft.steps=0; give a number of updates")
        folder = _new_folder(str(out), "")
        with precision(settings):
            policy = fresh_policy(settings, typer.echo)
        save_weights(folder, policy.model, policy.tokenizer)
        typer.echo(f"model: {folder}")


@app.command("eval", context_settings=_OVERRIDES)
def evaluate(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run folder, a checkpoint, a model folder, or openai:MODEL.")],
    opponents: Annotated[
        str, typer.Option(help="Whom to play: random,optimal,mcts(100),FOLDER,openai:MODEL")
    ] = "random",
    games: Annotated[int, typer.Option(help="Games per opponent, seats swapped.")] = 1000,
    prefixes: Annotated[int, typer.Option(help="Sampled replies per information state; 0: sum the known ones.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """How well an agent plays: turnwise eval runs/kuhn --opponents random,optimal

    NashConv where the game can be enumerated, and win rates with 95% intervals. Further settings as KEY=VALUE.
    """
    from turnwise.algorithms.evaluation.folder import evaluate_folder, print_evaluation

    with _plain_errors():
        found = evaluate_folder(run, ctx.args, opponents.split(","), games, prefixes)
        print_evaluation(found, as_json=as_json)


@app.command("list")
def list_names(
    what: Annotated[str, typer.Argument(help="envs, agents, algorithms, models or experiments")],
    family: Annotated[str | None, typer.Option(help="Only environments of this family.", metavar="NAME")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all that an environment can do.")] = False,
) -> None:
    """What there is to choose from: turnwise list envs"""
    from turnwise.algorithms.catalogue import catalogue

    with _plain_errors():
        typer.echo(catalogue(what, family=family, as_json=as_json))


@app.command()
def report(run: Annotated[Path, typer.Argument(help="A run folder.")]) -> None:
    """Write the report page of a run again: turnwise report runs/kuhn"""
    from turnwise.algorithms.reporting.report import write_report

    with _plain_errors():
        typer.echo(f"report: {write_report(run)}")


@bench.command("learn")
def bench_learn(
    quick: Annotated[bool, typer.Option("--quick", help="One seed and fewer tokens: ten minutes.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the runs; the same again goes on.", metavar="DIR")] = None,
    jobs: Annotated[int, typer.Option(help="Runs at a time.")] = 2,
    only: Annotated[list[str] | None, typer.Option(help="A task; may be given several times.", metavar="TASK")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, such as 0,1,2.", metavar="LIST")] = "",
    table: Annotated[Path | None, typer.Option(help="Another table, as configs/bench_learn.yaml.")] = None,
    result: Annotated[Path | None, typer.Option(help="Result file, JSON.", metavar="FILE")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder of the pictures.", metavar="DIR")] = None,
) -> None:
    """Compare methods at equal tokens: turnwise bench learn --jobs 2

    Trains every method on every task with every seed, and says which published claims were seen. A table that was
    stopped goes on. The whole one writes benchmarks/results/learn.json and docs/learn_TASK.png where there are such
    folders, any other one into the folder of its runs.
    """
    from turnwise.algorithms.bench.learn import learn, places, read_seeds
    from turnwise.algorithms.bench.learn import table as read_table

    with _plain_errors():
        whole = not (quick or only or seeds or table)
        runs, found, drawn = places(out, result, pictures, whole=whole, quick=quick)
        chosen = read_table(table).narrowed(only or (), read_seeds(seeds), quick=quick)
        learn(chosen, runs, found, drawn, at_once=jobs, quick=quick, say=typer.echo)


@app.command(context_settings=_FORWARDED, add_help_option=False)
def check(ctx: typer.Context) -> None:
    """Check what environments promise: turnwise check KuhnPoker-LLM, turnwise check --all"""
    raise typer.Exit(run_plain("check", ctx.args))


@app.command(context_settings=_FORWARDED, add_help_option=False)
def doctor(ctx: typer.Context) -> None:
    """Say what works on this machine: packages, extras, GPU, sandbox, cache, plugins."""
    raise typer.Exit(run_plain("doctor", ctx.args))


@app.command(context_settings=_FORWARDED, add_help_option=False)
def new(ctx: typer.Context) -> None:
    """Write a package with an environment of your own: turnwise new env my-game"""
    raise typer.Exit(run_plain("new", ctx.args))
