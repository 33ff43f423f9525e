"""An actor whose engine died is replaced like one that died itself, and what it had in hands is played again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from turnwise.agents.engine import EngineDied
from turnwise.algorithms.launch.settings import LauncherSettings
from turnwise.algorithms.launch.task import Task
from turnwise.algorithms.launch.troupe import Issue, Job, Troupe
from turnwise.algorithms.player import Played

DEADLINE_S = 120.0


class Frail:
    """What it samples with dies once."""

    def __init__(self, died: str) -> None:
        self._died = Path(died)

    def ready(self) -> bool:
        return True

    def perform(self, task: Task, *others: Any) -> Played:
        if not self._died.exists():
            self._died.touch()
            raise EngineDied("vLLM's process is gone")
        return Played(episodes=[], planned=[task.name])


def test_an_actor_that_lost_its_engine_is_replaced(ray_cluster: Any, tmp_path: Path) -> None:
    import ray

    said: list[str] = []
    actors = []

    def start(number: int) -> tuple[Any, Any]:
        actors.append(ray.remote(num_cpus=0)(Frail).remote(str(tmp_path / "died")))
        return actors[-1], actors[-1].ready.remote()

    troupe = Troupe(LauncherSettings(name="ray", engines=1), start, said.append)
    try:
        task = Task(step=3, part=0, plans=[], more=[])
        job = Job(task, Issue(None, 0))
        troupe.submit(job)
        played = job.done.result(DEADLINE_S)
    finally:
        troupe.close()
    assert played.planned == [task.name]
    assert len(actors) == 2
    assert said == [
        f"engine 0 lost what it samples with (vLLM's process is gone) while it played {task.name}, which is played "
        "again; it is started again (1 of 3 times)"
    ]
