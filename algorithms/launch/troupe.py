"""The rollout actors of a run: started, handed tasks, and started again where one dies. A thread looks after them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from turnwise.agents.engine import EngineDied
from turnwise.algorithms.checks import Lost
from turnwise.algorithms.launch.settings import LauncherSettings
from turnwise.algorithms.launch.task import Task
from turnwise.algorithms.player import Played


class NoEngines(Lost):
    """There is nobody left to play."""


_FETCH_S = 300.0
"""Within which what an actor has returned gets here."""
_TICK_S = 0.1
"""How long the thread waits for actors before it looks for new tasks, and the other way round."""


class Issue(NamedTuple):
    """Weights as the actors are handed them."""

    weights: Any
    """Reference to packed weights; None for those that an actor starts with."""
    version: int


@dataclass(slots=True, eq=False)
class Job:
    """A task on its way, and who waits for it."""

    task: Task
    issue: Issue | None
    """The weights to play it with; None: the latest ones when it begins."""
    frozen: Mapping[str, Any] = field(default_factory=dict)
    """Name -> reference to the weights, of the learner's earlier selves that sit at the table."""
    begun: int | None = None
    """Version of the weights that its latest try began with."""
    done: Future[Played] = field(default_factory=Future)


@dataclass(slots=True, eq=False)
class Slot:
    """The place of one actor, whoever fills it now."""

    number: int
    actor: Any = None
    waits: Any = None
    """Reference to what the actor does now; None: nothing."""
    job: Job | None = None
    """What it plays now; None while it starts."""
    until: float = 0.0
    """When it has to be done with that."""
    failures: deque[float] = field(default_factory=deque)
    """When it failed, as far as that counts."""
    given_up: bool = False


class Troupe:
    """Hands every task to an actor that is free. What a dead one had in hands is played again by the next free one."""

    def __init__(
        self, settings: LauncherSettings, start: Callable[[int], tuple[Any, Any]], say: Callable[[str], None]
    ) -> None:
        """`start`: number of a place -> (a new actor, reference to what it answers when it is ready)."""
        self._settings, self._start, self._say = settings, start, say
        self._slots = [Slot(number) for number in range(settings.engines)]
        self._waiting: deque[Job] = deque()
        self._latest = Issue(None, 0)
        self._lock = threading.Lock()
        self._wake, self._closed = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._look_after, name="turnwise-troupe", daemon=True)
        self._thread.start()

    # Called by the learner's thread

    def submit(self, job: Job) -> None:
        """Have a task played, after those that were submitted before. Its future raises what its actor raises, and
        NoEngines where nobody is left to play it."""
        with self._lock:
            if self._error is not None:
                job.done.set_exception(self._error)
            else:
                self._waiting.append(job)
        self._wake.set()

    def renew(self, issue: Issue, *, at_once: bool) -> None:
        """These are the latest weights. at_once: hand them to actors in the middle of a task too."""
        with self._lock:
            self._latest = issue
            actors = [slot.actor for slot in self._slots if slot.job is not None]
        for actor in actors if at_once else ():
            actor.renew.options(concurrency_group="renew").remote(issue.weights, issue.version)

    def close(self) -> None:
        """End all actors."""
        import ray

        self._closed.set()
        self._wake.set()
        self._thread.join(_TICK_S * 100)
        for slot in self._slots:
            if slot.actor is not None:
                ray.kill(slot.actor)

    # The thread

    def _look_after(self) -> None:
        try:
            while not self._closed.is_set():
                self._hand_out()
                self._await_some()
        except BaseException as error:  # whoever waits for a task has to hear of it, whatever it is
            self._fail_all(error)

    def _hand_out(self) -> None:
        """Start whoever is missing, and give tasks to who is free."""
        for slot in self._slots:
            if slot.given_up or slot.waits is not None:
                continue
            if slot.actor is None:
                slot.actor, slot.waits = self._start(slot.number)
                slot.until = time.monotonic() + self._settings.start_timeout_s
                continue
            with self._lock:
                job = self._next()
                if job is None:
                    continue
                slot.job, issue = job, job.issue or self._latest
            job.begun = issue.version
            slot.waits = slot.actor.perform.remote(job.task, issue.weights, issue.version, job.frozen)
            slot.until = time.monotonic() + self._settings.play_timeout_s

    def _next(self) -> Job | None:
        while self._waiting:
            job = self._waiting.popleft()
            if not job.done.cancelled():
                return job
        return None

    def _await_some(self) -> None:
        """Take what is done by now, and note who died or is late."""
        import ray

        self._wake.clear()
        at_work = {slot.waits: slot for slot in self._slots if slot.waits is not None}
        if not at_work:
            if not self._waiting:
                self._wake.wait()  # no deadline: there is nothing to do before a task comes, or the end
            return
        done, late = ray.wait(list(at_work), num_returns=1, timeout=_TICK_S)
        for reference in done:
            self._take(at_work[reference])
        for slot in (at_work[reference] for reference in late):
            if time.monotonic() > slot.until:
                what = "start" if slot.job is None else "get done"
                limit = self._settings.start_timeout_s if slot.job is None else self._settings.play_timeout_s
                self._replace(slot, f"did not {what} within {limit:g} s")

    def _take(self, slot: Slot) -> None:
        """What came of what this actor did."""
        import ray

        job = slot.job
        try:
            found = ray.get(slot.waits, timeout=_FETCH_S)
        except ray.exceptions.RayTaskError as error:  # the actor lives, and says what is wrong
            cause = error.cause if isinstance(error.cause, BaseException) else error
            if isinstance(cause, EngineDied):
                self._replace(slot, f"lost what it samples with ({cause})")
                return
            if job is None:
                raise cause from None
            _settle(job, lambda: job.done.set_exception(cause))
        except ray.exceptions.RayError as error:
            self._replace(slot, f"died ({type(error).__name__})")
            return
        else:
            if job is not None:
                _settle(job, lambda: job.done.set_result(found))
        slot.waits = slot.job = None

    def _replace(self, slot: Slot, why: str) -> None:
        """Let go of an actor. Its task is the next to be handed out, and a new actor takes its place if it may."""
        import ray

        ray.kill(slot.actor)
        if slot.job is not None:
            with self._lock:
                self._waiting.appendleft(slot.job)
        was = "" if slot.job is None else f" while it played {slot.job.task.name}, which is played again"
        slot.actor = slot.waits = slot.job = None
        window, now = self._settings.restart_window_s, time.monotonic()
        while slot.failures and slot.failures[0] < now - window:
            slot.failures.popleft()
        slot.failures.append(now)
        times, most = len(slot.failures), self._settings.restarts
        slot.given_up = times > most
        then = "the others go on without it" if slot.given_up else f"it is started again ({times} of {most} times)"
        self._say(f"engine {slot.number} {why}{was}; {then}")
        if all(other.given_up for other in self._slots):
            raise NoEngines(
                f"every engine was lost more than launcher.restarts={most} times within {window:g} s, the last one "
                f"because it {why}; see Ray's logs for the cause, then go on with turnwise train --resume RUN"
            )

    def _fail_all(self, error: BaseException) -> None:
        with self._lock:
            self._error = error
            jobs = [*self._waiting, *(slot.job for slot in self._slots if slot.job is not None)]
            self._waiting.clear()
        for job in jobs:
            _settle(job, partial(job.done.set_exception, error))


def _settle(job: Job, tell: Callable[[], None]) -> None:
    """Tell whoever waits, unless nobody does any more."""
    with suppress(InvalidStateError):
        tell()
