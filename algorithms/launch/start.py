"""Starts a run where its settings say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from turnwise.agents.pretrained import pick_device
from turnwise.algorithms.run import Observer
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.trainer import train
from turnwise.algorithms.world import World, world_of_torchrun


@contextmanager
def meeting(settings: RunSettings) -> Iterator[World]:
    """The ranks that torchrun started, or this process alone."""
    world = world_of_torchrun()
    world.open(pick_device(settings.engine.device))
    try:
        yield world
    finally:
        world.close()


def launch(
    settings: RunSettings, run_dir: Path, observe: Observer, say: Callable[[str], None], world: World
) -> dict[str, Any]:
    """Train in `run_dir`; returns the summary. Raises as `train`."""
    return train(settings, run_dir, observe=observe, say=say, world=world)
