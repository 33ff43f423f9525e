"""One rank of two: trains the runs that it is told of, new ones and ones to go on with.

`torchrun --nproc-per-node 2 runs.py '{"FOLDER": ["env=...", ...], "OTHER": null}'`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from turnwise.algorithms.compose import CONFIG, compose, dump_config, load_config, run_settings
from turnwise.algorithms.files import write_atomically
from turnwise.algorithms.trainer import train
from turnwise.algorithms.world import world_of_torchrun


def main(runs: dict[str, list[str] | None]) -> None:
    world = world_of_torchrun()
    world.open(torch.device("cpu"))
    for name, words in runs.items():
        folder = Path(name)
        config = load_config(folder) if words is None else compose(words)
        if words is not None and world.is_first:
            folder.mkdir()
            write_atomically(folder / CONFIG, dump_config(config))
        world.barrier("the run's folder")
        train(run_settings(config), folder, world=world)
    world.barrier("the end of all runs")
    world.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
