"""Which games there are to draw from: generated ones by number, official ones by file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from turnwise.envs.alfworld.generate import generated_world
from turnwise.envs.alfworld.goals import TASKS
from turnwise.envs.alfworld.layouts import SPLITS
from turnwise.envs.alfworld.official import official_world
from turnwise.envs.alfworld.world import World

DATA = ("generated", "official")
GENERATED = {"train": 3600, "valid_seen": 144, "valid_unseen": 144}
"""Split -> games of the generated data where nothing else is asked for: about as many as the official data has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The games that episodes are drawn from, each as likely as any other. Raises ValueError on a bad setting."""

    task: str | None = None
    """One of `TASKS`, or None for all six in turn."""
    split: str = "train"
    games: int | None = None
    """How many; None: `GENERATED` for generated data, all there are for official data."""
    data: str = "generated"
    root: str | None = None
    """Folder of the official data; None: what $ALFWORLD_DATA says."""

    def __post_init__(self) -> None:
        for name, value, allowed in (("split", self.split, SPLITS), ("data", self.data, DATA)):
            if value not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}: got {value!r}")
        if self.task is not None and self.task not in TASKS:
            raise ValueError(f"task is one of {', '.join(TASKS)}, or None for all: got {self.task!r}")
        if self.games is not None and self.games < 1:
            raise ValueError(f"games is at least 1, or None for the usual number: got {self.games}")
        if self.root is not None and self.data != "official":
            raise ValueError("root is the folder of official data: give data='official' with it")

    def draw(self, rng: np.random.Generator) -> World:
        """A game. Raises what `official_world` raises."""
        if self.data == "official":
            return official_world(self.root, self.split, self.task, self.games, rng)
        number = int(rng.integers(self.games or GENERATED[self.split]))
        if self.task is not None:
            return generated_world(self.split, self.task, number)
        return generated_world(self.split, TASKS[number % len(TASKS)], number // len(TASKS))
