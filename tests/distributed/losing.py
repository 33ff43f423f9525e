"""One rank of two, of which the second is lost, or cannot write: `python losing.py stall|die|full FOLDER`.

What is raised goes to the standard output: code 3 where a rank is lost, 4 where the folder cannot be written.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from turnwise.algorithms.checks import Lost
from turnwise.algorithms.files import RunFolderError
from turnwise.algorithms.world import World

RANK = int(os.environ["RANK"])


def stall() -> None:
    """The second rank never comes."""
    world = World(RANK, 2, deadline_s=3.0)
    world.open(torch.device("cpu"))
    if RANK:
        time.sleep(300)
    world.gather(RANK, "news from everybody")


def save_twice(folder: Path, hinder: Callable[[], None]) -> None:
    """Two checkpoints; the second rank is hindered before it writes its part of the second one."""
    from turnwise.agents.clock import ModelClock
    from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer
    from turnwise.algorithms.checkpoint import save_checkpoint
    from turnwise.algorithms.learner import Learner
    from turnwise.algorithms.recipes import Magnet, Objective, Optimisation

    world = World(RANK, 2, deadline_s=60.0)
    world.open(torch.device("cpu"))
    tokenizer = build_tokenizer(["[bet]"], 300)
    model = build_model(TinyModel(hidden=32, heads=2, intermediate=64), tokenizer, 0)
    clock = ModelClock(torch.device("cpu"))
    learner = Learner(model, Optimisation(), Objective(), Magnet(), temperature=1.0, clock=clock, world=world)

    def save(step: int) -> None:
        learner.fill_reported()
        save_checkpoint(folder, step, {"learner": learner.state()}, learner.reported, tokenizer, world)

    save(1)
    if RANK:
        hinder()
    save(2)


def die() -> None:
    """Be killed with half of a part written."""
    from torch.distributed.checkpoint import FileSystemWriter

    def half_done(writer: Any, *_: Any) -> None:
        (Path(writer.path) / "__1_0.distcp").write_bytes(b"half of it")
        os.kill(os.getpid(), signal.SIGKILL)

    FileSystemWriter.write_data = half_done  # type: ignore[method-assign, assignment]


def full() -> None:
    """Find no room for more than a few bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


if __name__ == "__main__":
    try:
        if sys.argv[1] == "stall":
            stall()
        else:
            save_twice(Path(sys.argv[2]), {"die": die, "full": full}[sys.argv[1]])
    except (Lost, RunFolderError) as error:
        print(error)
        sys.stdout.flush()
        os._exit(3 if isinstance(error, Lost) else 4)
