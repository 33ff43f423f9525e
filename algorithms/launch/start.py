"""Starts a run where its settings say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from turnwise.agents.pretrained import pick_device
from turnwise.algorithms.fit import require_fitting_games
from turnwise.algorithms.run import Observer
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.trainer import train
from turnwise.algorithms.world import World, world_of_torchrun


@contextmanager
def meeting(settings: RunSettings) -> Iterator[World]:
    """The ranks that torchrun started, or this process alone."""
    world = world_of_torchrun(settings.launcher.ranks_timeout_s)
    if settings.launcher.name == "ray" and world.size > 1:
        raise ValueError("launcher=ray starts its learners itself: leave out torchrun, and set launcher.learners")
    world.open(pick_device(settings.engine.device))
    try:
        yield world
    finally:
        world.close()


def launch(
    settings: RunSettings, run_dir: Path, observe: Observer, say: Callable[[str], None], world: World
) -> dict[str, Any]:
    """Train in `run_dir`; returns the summary. Raises as `train`, and what `cluster` raises."""
    if settings.launcher.name == "local":
        return train(settings, run_dir, observe=observe, say=say, world=world)
    from turnwise.algorithms.launch.cluster import cluster
    from turnwise.algorithms.launch.learners import train_in_actors

    require_fitting_games(settings)  # before a cluster is started for it
    with cluster(settings.launcher) as group:
        return train_in_actors(settings, run_dir.resolve(), group, observe, say)
