"""What runs in a rollout actor: the stage of a run, with an engine, environments and a copy of the weights."""

from __future__ import annotations

import os
from typing import Any

import torch

from turnwise.agents.local import LocalEngine
from turnwise.algorithms.assemble import invited, make_stage
from turnwise.algorithms.launch.parcel import Packed, unpack_weights, unpacked_model
from turnwise.algorithms.launch.renewing import renewing
from turnwise.algorithms.launch.task import Task
from turnwise.algorithms.player import Played, Stage
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.startup import precision, saved_policy


class Performer:
    """Plays tasks. Two of its methods run at a time: `renew` takes new weights in while `perform` plays."""

    def __init__(self, settings: RunSettings, folder: str) -> None:
        """`folder`: where relative paths of the settings start, on machines that have it."""
        self._settings = settings
        self._stage: Stage | None = None
        if os.path.isdir(folder):
            os.chdir(folder)

    def prepare(self, files: dict[str, bytes]) -> int:
        """Build model, engine and agents from a model folder; returns the process id."""
        settings = self._settings
        with unpacked_model(files) as folder:
            policy = saved_policy(settings, folder)
        if isinstance(policy.engine, LocalEngine):
            policy.engine.shares_model = False
        self._renewing = renewing(policy.engine)
        policy.agent.engine = self._renewing  # type: ignore[assignment]  # its counters are for reading
        agents, _ = invited(settings, policy)
        self._stage = make_stage(settings, policy, None, agents)
        self._threads = torch.get_num_threads()
        return os.getpid()

    def perform(self, task: Task, weights: Packed | None, version: int) -> Played:
        """Play a task, with these weights or later ones that have come meanwhile. weights: None for the first ones."""
        assert self._stage is not None  # `prepare` has been waited for
        torch.set_num_threads(self._threads)  # counts for the thread that asks
        if weights is not None:
            self.renew(weights, version)
        with precision(self._settings):
            self._renewing.catch_up()
            return self._stage.perform(task.step, task.plans, lambda attempt: _more(task, attempt), task.part)

    def renew(self, weights: Packed, version: int) -> None:
        """Take new weights in at the next turn."""
        self._renewing.offer(lambda: unpack_weights(weights), version)


def _more(task: Task, attempt: int) -> list[Any]:
    return task.more[attempt - 1] if attempt <= len(task.more) else []
