"""One rank of two, of which the second is lost: `python losing.py die FOLDER` or `python losing.py stall`.

The first says on its standard output what it waited for, and ends with code 3.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch

from turnwise.algorithms.checks import Lost
from turnwise.algorithms.world import World

RANK = int(os.environ["RANK"])


def stall() -> None:
    """The second rank never comes."""
    world = World(RANK, 2, deadline_s=3.0)
    world.open(torch.device("cpu"))
    if RANK:
        time.sleep(300)
    world.gather(RANK, "news from everybody")


def die(folder: Path) -> None:
    """The second rank dies while it writes its part of the second checkpoint."""
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
        from torch.distributed.checkpoint import FileSystemWriter

        def half_done(writer: Any, *_: Any) -> None:
            (Path(writer.path) / "__1_0.distcp").write_bytes(b"half of it")
            os.kill(os.getpid(), signal.SIGKILL)

        FileSystemWriter.write_data = half_done  # type: ignore[method-assign, assignment]
    save(2)


if __name__ == "__main__":
    try:
        stall() if sys.argv[1] == "stall" else die(Path(sys.argv[2]))
    except Lost as error:
        print(error)
        sys.stdout.flush()
        os._exit(3)
