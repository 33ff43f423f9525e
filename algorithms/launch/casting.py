"""Who plays where a run has actors for it: the troupe of its launcher's settings."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from turnwise.agents.plan import Plan
from turnwise.algorithms.launch.actor import Performer
from turnwise.algorithms.launch.cluster import actor_class, seat
from turnwise.algorithms.launch.parcel import pack_model, pack_weights
from turnwise.algorithms.launch.player import Agenda, RemotePlayer
from turnwise.algorithms.launch.task import Task
from turnwise.algorithms.launch.troupe import Troupe
from turnwise.algorithms.league import LEARNER, OPPONENT
from turnwise.algorithms.player import Cast, Player, Stage
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.world import World


def troupe_of(settings: RunSettings, group: Any, say: Callable[[str], None], check: Callable[[], None]) -> Cast:
    """Makes the player of a run whose actors have their places in a placement group. Arguments: see `RemotePlayer`."""
    import ray

    launcher, recipe = settings.launcher, settings.algorithm
    wanted = {"bfloat16": True, "auto": launcher.engine_gpus > 0, "float32": False}[settings.engine.dtype]
    dtype = torch.bfloat16 if wanted and settings.engine.name == "vllm" else None

    def cast(stage: Stage, plans: Callable[[int, int], list[Plan]], world: World) -> Player:
        agenda = Agenda(
            plans,
            attempts=getattr(recipe.explore_record(), "rounds", 1),
            parts=parts_of(settings),
            steps=settings.steps if settings.token_budget is None else None,
        )
        frozen = Frozen(stage.rollout.agents, lambda weights: ray.put(pack_weights(weights)))
        return RemotePlayer(
            launcher,
            agenda,
            lambda: _start(settings, stage, group, say),
            lambda weights: ray.put(pack_weights(weights, dtype)),
            world,
            check,
            frozen.of,
        )

    return cast


class Frozen:
    """The weights of the learner's earlier selves, each put where actors find them once."""

    def __init__(self, agents: Mapping[str, Any], put: Callable[[Iterable[tuple[str, Tensor]]], Any]) -> None:
        """`agents`: everybody who may sit at a table."""
        self._agents, self._put = agents, put
        self._known: dict[str, Any] = {}

    def of(self, task: Task) -> dict[str, Any]:
        """Name -> reference, of those who play in a task and of those who did before and are still there."""
        plans = [*task.plans, *(plan for more in task.more for plan in more)]
        names = sorted({name for plan in plans for name in plan.seats.values() if name not in (LEARNER, OPPONENT)})
        here = {name: self._agents[name].engine for name in names if hasattr(self._agents[name], "engine")}
        self._known = {name: found for name, found in self._known.items() if name in self._agents}
        for name in here.keys() - self._known.keys():
            self._known[name] = self._put(here[name].model.named_parameters())
        return dict(self._known)


def parts_of(settings: RunSettings) -> int:
    """Tasks of a step."""
    groups, launcher = settings.games_per_step // settings.algorithm.group_size, settings.launcher
    return math.ceil(groups / launcher.task_groups) if launcher.task_groups else min(launcher.engines, groups)


def _start(settings: RunSettings, stage: Stage, group: Any, say: Callable[[str], None]) -> Troupe:
    """The troupe, whose actors begin with the policy's weights of this moment."""
    import ray

    launcher = settings.launcher
    model = ray.put(pack_model(stage.policy.model, stage.policy.tokenizer))
    performer = actor_class(Performer, "renew")

    def start(number: int) -> tuple[Any, Any]:
        place = seat(group, launcher.learners + number, cpus=launcher.engine_cpus, gpus=launcher.engine_gpus)
        actor = performer.options(**place).remote(settings, os.getcwd())
        return actor, actor.prepare.remote(model)

    return Troupe(launcher, start, say)
