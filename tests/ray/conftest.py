"""One small Ray cluster for all tests of this folder, and how its actors are found, stopped and killed."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

DEADLINE_S = 120.0
SMALL = (
    *("steps=6", "games_per_step=16", "checkpoint_every=2", "tensorboard=false", "ledger=true"),
    *("evaluation.every=3", "evaluation.final_games=20"),
    *("model.sft.steps=20", "model.sft.games=100", "engine.device=cpu", "engine.threads=1"),
)
"""A run that one process does in a second."""


class Cluster:
    """A Ray cluster whose session lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def actors(self, name: str) -> list[psutil.Process]:
        """The living processes of actors of a class, oldest first."""
        found = []
        for process in psutil.process_iter():
            try:
                mine = process.cmdline()[:1] and process.cmdline()[0].startswith(f"ray::{name}")
                if mine and any(str(self.folder) in word for word in process.parent().cmdline()):
                    found.append(process)
            except (psutil.Error, AttributeError, IndexError):  # it ended meanwhile
                continue
        return sorted(found, key=lambda process: process.create_time())

    def kill_busy(self, name: str, after_s: float = 2.0) -> int:
        """Stop the oldest actor of a class where it is, and kill it a little later; returns its process id.

        What it is asked in between, it begins and never ends.
        """
        process = self.actors(name)[0]
        process.send_signal(signal.SIGSTOP)
        threading.Timer(after_s, process.kill).start()
        return int(process.pid)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Cluster]:
    """Paths of its sockets must be short."""
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    folder = Path(tempfile.mkdtemp(prefix="tw-ray-"))
    ray.init(
        address="local",
        num_cpus=8,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=100_000_000,
        _temp_dir=str(folder),
    )
    try:
        yield Cluster(folder)
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def small() -> tuple[str, ...]:
    return SMALL


@pytest.fixture(scope="session")
def wait_for() -> Callable[[str, Callable[[], Any]], Any]:
    """`wait_for(what, ready)`: what `ready` returns as soon as that is true."""

    def wait(what: str, ready: Callable[[], Any]) -> Any:
        until = time.monotonic() + DEADLINE_S
        while not (found := ready()):
            assert time.monotonic() < until, f"waited {DEADLINE_S:g} s for {what}"
            time.sleep(0.05)
        return found

    return wait
