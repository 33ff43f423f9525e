"""`train`: one run from its settings to its report, new or going on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from turnwise.algorithms.checkpoint import load_checkpoint, newest_whole
from turnwise.algorithms.collector import quiet_collector
from turnwise.algorithms.effective import RECIPE, effective_text
from turnwise.algorithms.evaluation.exams import exams_of
from turnwise.algorithms.files import write_atomically
from turnwise.algorithms.fit import require_fitting_games
from turnwise.algorithms.memory_plan import plan_memory, require_room
from turnwise.algorithms.player import Cast, LocalPlayer
from turnwise.algorithms.reporting.runlog import lock_run
from turnwise.algorithms.reporting.trackers import require_package
from turnwise.algorithms.run import Observer, Run
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.startup import fresh_policy, precision, require_apis, said_by, saved_policy, say_nothing
from turnwise.algorithms.stop import Stop, Stopped
from turnwise.algorithms.summary import finish
from turnwise.algorithms.world import ALONE, World


def train(
    settings: RunSettings,
    run_dir: Path,
    *,
    observe: Observer = lambda record: None,
    say: Callable[[str], None] = say_nothing,
    world: World = ALONE,
    stop: Stop | None = None,
    cast: Cast = LocalPlayer,
) -> dict[str, Any]:
    """Train in `run_dir`, from its newest checkpoint where it has one; returns the summary.

    A run that was killed and goes on ends with the numbers of one that was not: every episode follows from the run's
    seed and its step, and the checkpoint holds everything else. `world`: the ranks that train together, each of which
    makes this call; the first one writes. `stop`: what can end it early; None: signals. `cast`: who plays.
    Raises RunFolderError (folder in use, full disk, no whole checkpoint), NotFinite, NothingPlayed, Lost, Stopped
    (SIGTERM or SIGINT came: the last finished step is saved), ModuleNotFoundError where a tracker's package is
    missing, and what the settings' parts raise.
    """
    _require_all(settings, world)
    exams = exams_of(settings)
    plan = plan_memory(settings, world.size)
    for line in plan.lines():
        say(line)
    require_room(plan)
    lock = lock_run(run_dir) if world.is_first else nullcontext()
    stop = stop or Stop(settings.stop_within_s, patient=world.size > 1)
    with lock, precision(settings), stop:
        if world.is_first:
            write_atomically(run_dir / RECIPE, effective_text(settings.algorithm))
        checkpoint = world.share(newest_whole(run_dir, say) if world.is_first else None, "the newest checkpoint")
        state = None if checkpoint is None else load_checkpoint(checkpoint)
        policy = fresh_policy(settings, say) if checkpoint is None else saved_policy(settings, checkpoint)
        run = Run(settings, run_dir, policy, exams, world, stop, cast, say)
        try:
            if state is not None:
                run.load(state)
                say(f"going on after step {run.steps_done}")
            say(str(run.learner.layout))
            for line in said_by(run.policy.engine):
                say(line)
            run.cut_back()
            with quiet_collector():
                run.go(observe)
            run.learner.fill_reported()
            return finish(run) if world.is_first else {}
        except Stopped as stopped:
            raise run.leave(stopped) from None
        finally:
            run.close()


def _require_all(settings: RunSettings, world: World) -> None:
    """What the run would miss later: asked before anything begins."""
    require_fitting_games(settings)
    require_apis(settings, world.size)
    for name in settings.trackers:
        require_package(name)
