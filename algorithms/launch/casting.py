"""Who plays where a run has actors for it: the troupe of its launcher's settings."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

from turnwise.agents.plan import Plan
from turnwise.algorithms.launch.actor import Performer
from turnwise.algorithms.launch.cluster import actor_class, seat
from turnwise.algorithms.launch.parcel import pack_model
from turnwise.algorithms.launch.player import Agenda, RemotePlayer
from turnwise.algorithms.launch.troupe import Troupe
from turnwise.algorithms.player import Cast, Player, Stage
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.world import World


def troupe_of(settings: RunSettings, group: Any, say: Callable[[str], None], check: Callable[[], None]) -> Cast:
    """Makes the player of a run whose actors have their places in a placement group. Arguments: see `RemotePlayer`."""
    import ray

    launcher, recipe = settings.launcher, settings.algorithm

    def cast(stage: Stage, plans: Callable[[int, int], list[Plan]], world: World) -> Player:
        agenda = Agenda(
            plans,
            attempts=getattr(recipe.explore_record(), "rounds", 1),
            parts=parts_of(settings),
            steps=settings.steps if settings.token_budget is None else None,
        )
        return RemotePlayer(launcher, agenda, lambda: _start(settings, stage, group, say), ray.put, world, check)

    return cast


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
