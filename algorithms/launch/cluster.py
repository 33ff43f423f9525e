"""The Ray cluster of a run: joined, or started here, and the places that its actors take there."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from turnwise.algorithms.checks import Lost
from turnwise.algorithms.launch.settings import LauncherSettings

_LOOK_S = 0.5


@contextmanager
def cluster(settings: LauncherSettings) -> Iterator[Any]:
    """The placement group of a run: a bundle for every learner, then one for every engine.

    Raises ValueError where the machines do not come, or have no room; ImportError where ray is not installed. Actors
    that this process starts end with it, however it ends.
    """
    ray = _import_ray()
    connected = ray.is_initialized()
    if not connected:
        _connect(ray, settings)
    try:
        _await_nodes(ray, settings)
        group = _place(ray, settings)
        try:
            yield group
        finally:
            ray.util.remove_placement_group(group)
    finally:
        if not connected:
            ray.shutdown()


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ImportError("launcher=ray needs the package ray: pip install 'turnwise[ray]'") from error
    return ray


def _connect(ray: Any, settings: LauncherSettings) -> None:
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if settings.address is not None:
        ray.init(address=settings.address, **quiet)
        return
    wanted = settings.learners * settings.learner_cpus + settings.engines * settings.engine_cpus
    cores = max(os.cpu_count() or 1, math.ceil(wanted))  # on one machine they are shared anyway
    ray.init(address="local", num_cpus=cores, include_dashboard=False, **quiet)


def _await_nodes(ray: Any, settings: LauncherSettings) -> None:
    until = time.monotonic() + settings.start_timeout_s
    while len(alive := [node for node in ray.nodes() if node["Alive"]]) < settings.nodes:
        if time.monotonic() > until:
            raise ValueError(
                f"launcher.nodes={settings.nodes} machines are wanted, and {len(alive)} came within "
                f"{settings.start_timeout_s:g} s: start Ray on the others (ray start --address=...), or ask for fewer"
            )
        time.sleep(_LOOK_S)


def _place(ray: Any, settings: LauncherSettings) -> Any:
    learner = {"CPU": settings.learner_cpus, "GPU": settings.learner_gpus}
    if settings.run_folder == "driver":
        learner[_this_machine(ray)] = 0.001
    engine = {"CPU": settings.engine_cpus, "GPU": settings.engine_gpus}
    bundles = [learner] * settings.learners + [engine] * settings.engines
    bundles = [{name: amount for name, amount in bundle.items() if amount} for bundle in bundles]
    group = ray.util.placement_group(bundles, strategy="SPREAD" if settings.nodes > 1 else "PACK")
    if not group.wait(settings.start_timeout_s):
        ray.util.remove_placement_group(group)
        has = {name: round(amount, 2) for name, amount in sorted(ray.cluster_resources().items())}
        raise ValueError(
            f"there was no room for {settings.learners} learners of {learner} and {settings.engines} engines of "
            f"{engine} within {settings.start_timeout_s:g} s: the cluster has {has}; ask for less, or wait for "
            "other runs to end"
        )
    return group


def _this_machine(ray: Any) -> str:
    """The resource that this machine alone has."""
    mine = ray.get_runtime_context().get_node_id()
    found = next(node["Resources"] for node in ray.nodes() if node["NodeID"] == mine)
    return next(str(name) for name in found if name.startswith("node:") and not name.startswith("node:__"))


def require_machine() -> None:
    """Raises Lost where Ray's node of this machine is gone, with all that ran there."""
    ray = _import_ray()
    mine = ray.get_runtime_context().get_node_id()
    if not any(node["Alive"] for node in ray.nodes() if node["NodeID"] == mine):
        raise Lost(
            "Ray's node of this machine is gone; go on with turnwise train --resume RUN (without launcher.address a "
            "run starts a node of its own)"
        )


def seat(group: Any, number: int, *, cpus: float, gpus: float) -> dict[str, Any]:
    """Options of the actor that takes a bundle. Nobody starts it again but us."""
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=number)
    return {"num_cpus": cpus, "num_gpus": gpus, "scheduling_strategy": place, "max_restarts": 0, "max_task_retries": 0}


def actor_class(kind: type[Any], beside: str) -> Any:
    """Actors of this class, whose methods run one at a time, and beside them those that are asked to, in that group."""
    import ray

    options: dict[str, Any] = {"concurrency_groups": {beside: 1}}
    return ray.remote(**options)(kind)
