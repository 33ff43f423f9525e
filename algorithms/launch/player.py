"""The player whose episodes are played by actors: those of the step that is learned now, or ahead of it."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import replace
from typing import Any

from torch import Tensor

from turnwise.agents.engine import Weights
from turnwise.agents.plan import Plan
from turnwise.algorithms.launch.settings import LauncherSettings
from turnwise.algorithms.launch.task import Task, task_from_dict, tasks_of
from turnwise.algorithms.launch.troupe import Issue, Job, Troupe
from turnwise.algorithms.league import LEARNER
from turnwise.algorithms.player import Played, merged, require_some
from turnwise.algorithms.world import World
from turnwise.records import Episode

STALE = "stale"
"""Reason of episodes that were begun too many updates ago."""
_LOOK_S = 0.5
"""How often a step that waits for episodes looks whether the run is to stop."""


class Agenda:
    """Tasks in the order they are planned in, and how many there are of a step."""

    def __init__(
        self, plans: Callable[[int, int], list[Plan]], *, attempts: int, parts: int, steps: int | None
    ) -> None:
        """`plans`: see `Matchmaker.plans`. attempts: of them are planned for each step. parts: tasks of a step.

        steps: of the whole run; None where that is not known.
        """
        self._plans, self._attempts, self.parts, self._steps = plans, attempts, parts, steps
        self.waiting: deque[Task] = deque()
        """Planned, and not handed out yet."""
        self.planned = 0
        """Steps that are planned."""

    def next(self) -> Task:
        """The next task. A step is planned when its first task is asked for."""
        if not self.waiting:
            attempts = [self._plans(self.planned, attempt) for attempt in range(self._attempts)]
            self.waiting.extend(tasks_of(self.planned, attempts, self.parts))
            self.planned += 1
        return self.waiting.popleft()

    def most(self, step: int, ahead: int) -> int:
        """Tasks that may be out, be they played or not, when a step begins that has so many steps ahead of it."""
        left = ahead + 1 if self._steps is None else max(1, min(ahead + 1, self._steps - step))
        return left * self.parts


class RemotePlayer:
    """Plans steps, has their tasks played by a troupe, and takes what the learner is to train on next.

    Never more tasks are out (handed to the troupe, and not trained on) than those of the step to learn and of
    `steps_ahead` more: that holds the engines back. Where steps are taken in order, a task is played with the weights
    of the moment it was handed out at, so that what comes of it does not depend on who plays it, nor how often. Else
    it begins with the latest weights; a step then takes those tasks first that would be too old in the next one, and
    of the others the oldest that are done. With the bound on what is out, there are never too many of the former.
    """

    def __init__(
        self,
        settings: LauncherSettings,
        agenda: Agenda,
        troupe: Callable[[], Troupe],
        put: Callable[[Iterable[tuple[str, Tensor]]], Any],
        world: World,
        check: Callable[[], None],
        frozen: Callable[[Task], dict[str, Any]] = lambda task: {},
    ) -> None:
        """`troupe`: starts one. `put`: weights -> a reference. `check`: raises where the run is to stop.
        `frozen`: see `Job`.

        Every rank of the world has a player; the first one's does the work, and tells the others.
        """
        self._settings, self._agenda, self._world, self._check = settings, agenda, world, check
        self._put, self._frozen = put, frozen
        self._troupe = troupe() if world.is_first else None
        self._issue = Issue(None, 0)
        self._jobs: list[Job] = []
        """What is out, in the order of the agenda."""

    def play(self, step: int) -> Played:
        """See `Player`. Raises Lost where no engine is left to play."""
        played = self._play(step) if self._world.is_first else None
        return require_some(self._world.share(played, f"the episodes of step {step}"), step)

    def _play(self, step: int) -> Played:
        started = time.perf_counter()
        assert self._troupe is not None  # this is the first rank
        stale = self._drop_stale()
        while len(self._jobs) < self._agenda.most(step, self._settings.steps_ahead):
            task = self._agenda.next()
            self._jobs.append(Job(task, self._issue if self._in_order else None, self._frozen(task)))
            self._troupe.submit(self._jobs[-1])
        taken = self._await()
        self._jobs = [job for job in self._jobs if job not in taken]
        played = merged([*(job.done.result() for job in taken), *stale])
        queue = sum(len(job.task.plans) for job in self._jobs if job.done.done())
        waited = time.perf_counter() - started
        return replace(
            played,
            metrics=played.metrics | staleness(played.episodes, self._issue.version, self._settings.steps_ahead),
            model_seconds=min(played.model_seconds, waited),
            times={"wait": waited, "queue": float(queue)},
        )

    @property
    def _in_order(self) -> bool:
        return self._settings.mode != "async"

    def _drop_stale(self) -> list[Played]:
        """Let go of tasks that were begun too long ago."""
        kept, dropped = [], []
        for job in self._jobs:
            if not self._in_order and self._age(job) > self._settings.max_staleness:
                dropped.append(_stale(job))
            else:
                kept.append(job)
        self._jobs = kept
        return dropped

    def _age(self, job: Job) -> int:
        return 0 if job.begun is None else self._issue.version - job.begun

    def _await(self) -> list[Job]:
        """The tasks that this step trains on, all of them done, in the order of the agenda."""
        count, patience = self._agenda.parts, time.monotonic() + self._settings.patience_s
        while True:
            self._check()
            done = [job for job in self._jobs if job.done.done()]
            for job in done:
                job.done.result()  # raises what went wrong with it
            due = self._due()
            late = not self._in_order and time.monotonic() > patience
            if len(done) >= count and (late or all(job.done.done() for job in due)):
                chosen = sorted(done, key=lambda job: job not in due)[:count]  # a stable sort: else the oldest first
                return [job for job in self._jobs if job in chosen]
            wait([job.done for job in self._jobs if job not in done], _LOOK_S, FIRST_COMPLETED)

    def _due(self) -> list[Job]:
        """The tasks that this step has to take."""
        if self._in_order:
            return self._jobs[: self._agenda.parts]
        return [job for job in self._jobs if self._age(job) >= self._settings.max_staleness]

    def load_weights(self, weights: Weights, version: int) -> None:
        """See `Player`."""
        if self._troupe is None:
            deque(weights(), maxlen=0)  # all ranks gather them
            return
        self._issue = Issue(self._put(weights()), version)
        self._troupe.renew(self._issue, at_once=not self._in_order)

    def state(self) -> dict[str, Any]:
        """What was planned and not trained on: a run that goes on plays it again."""
        left = [*(job.task for job in self._jobs), *self._agenda.waiting]
        return {"planned": self._agenda.planned, "tasks": [task.to_dict() for task in left]}

    def load(self, state: dict[str, Any]) -> None:
        """See `Player`."""
        self._agenda.planned = state["planned"]
        self._agenda.waiting = deque(task_from_dict(raw) for raw in state["tasks"])

    def close(self) -> None:
        """End the troupe."""
        if self._troupe is not None:
            self._troupe.close()


def _stale(job: Job) -> Played:
    """What is left of a task whose episodes are too old to be trained on."""
    ids = [plan.id for plan in job.task.plans]
    if job.done.cancel():
        return Played(episodes=[], planned=ids, dropped={STALE: ids})
    played = job.done.result()
    told = {STALE: [episode.id for episode in played.episodes]}
    return replace(played, episodes=[], dropped={**played.dropped, **told})


def staleness(episodes: Sequence[Episode], version: int, most: int) -> dict[str, float]:
    """Episodes by the updates between the first weights that sampled in them and `version`; their mean and maximum."""
    begun = [min(versions) for episode in episodes if (versions := versions_of(episode))]
    ages = Counter(version - first for first in begun)
    found = {f"staleness/{age}": float(ages[age]) for age in range(max([most, *ages]) + 1)}
    if begun:
        found |= {"staleness/mean": version - sum(begun) / len(begun), "staleness/max": float(max(ages))}
    return found


def versions_of(episode: Episode) -> list[int]:
    """Versions of the learner's weights that sampled in an episode."""
    turns = [turn for turn in episode.turns if episode.seats[turn.seat] == LEARNER]
    return [version for turn in turns for _, version in turn.weight_version]
