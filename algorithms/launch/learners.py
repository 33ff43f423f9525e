"""The learners of a run, as actors: each makes the call that torchrun's ranks make. Started and watched here."""

from __future__ import annotations

import math
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from turnwise.agents.pretrained import pick_device
from turnwise.algorithms.checks import Lost
from turnwise.algorithms.files import RunFolderError
from turnwise.algorithms.launch.casting import troupe_of
from turnwise.algorithms.launch.cluster import actor_class, require_machine, seat
from turnwise.algorithms.launch.troupe import NoEngines
from turnwise.algorithms.player import LocalPlayer
from turnwise.algorithms.reporting.runlog import lock_run, plain_json
from turnwise.algorithms.run import Observer
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.stop import Stop, Stopped
from turnwise.algorithms.trainer import train
from turnwise.algorithms.world import World

_LOOK_S = 0.5
"""How often the learners are asked for news."""
_ANSWER_S = 300.0
"""Within which a learner answers. A thread of its own does, whatever the learner is at."""


class Ended(NamedTuple):
    """How a learner's run ended."""

    summary: dict[str, Any] | None
    """None where it was told to stop."""
    text: str = ""
    """How to go on then."""


class Learning:
    """One rank, in an actor. `news` and `stop` run beside `train`."""

    def __init__(self, settings: RunSettings, run_dir: Path, rank: int, folder: str) -> None:
        """`folder`: where relative paths of the settings start, on machines that have it."""
        self._settings, self._run_dir, self._rank = settings, run_dir, rank
        self._news: list[tuple[str, Any]] = []
        self._stop = Stop(settings.stop_within_s, patient=settings.launcher.learners > 1)
        if os.path.isdir(folder):
            os.chdir(folder)

    def address(self) -> str:
        """Where the ranks may meet, on this machine."""
        import ray

        with socket.socket() as free:
            free.bind(("", 0))
            host: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
            return f"tcp://{host}:{free.getsockname()[1]}"

    def train(self, group: Any, address: str, again: bool) -> Ended:
        """Train to the end; see `train`. again: another process has held the run's folder, and is about to end."""
        settings = self._settings
        launcher, say = settings.launcher, self._say
        if again and self._rank == 0:
            _await_lock(self._run_dir)
        cast = troupe_of(settings, group, say, self._check) if launcher.engines else LocalPlayer
        if launcher.engines:  # what samples here is for evaluation only
            settings = replace(settings, engine=replace(settings.engine, name="local"))
        world = World(self._rank, launcher.learners, launcher.ranks_timeout_s)
        world.open(pick_device(settings.engine.device), address)
        try:
            found = train(
                settings, self._run_dir, observe=self._observe, say=say, world=world, stop=self._stop, cast=cast
            )
            return Ended(found)
        except Stopped as stopped:  # to Ray, a KeyboardInterrupt is a call that was cancelled
            return Ended(None, stopped.text)
        finally:
            world.close()

    def news(self) -> list[tuple[str, Any]]:
        """What there is to tell since the last call: ("record", of a step) and ("say", a line)."""
        count = len(self._news)
        found, self._news[:count] = self._news[:count], []
        return found

    def stop(self, signum: int) -> None:
        """End as soon as a step is done."""
        self._stop.signum = signum

    def _check(self) -> None:
        """Several ranks agree on where they stop, between two steps."""
        if self._settings.launcher.learners == 1:
            self._stop.check()

    def _observe(self, record: dict[str, Any]) -> None:
        self._news.append(("record", plain_json(record)))

    def _say(self, line: str) -> None:
        if self._rank == 0:
            self._news.append(("say", line))


def _await_lock(run_dir: Path) -> None:
    """Wait a little until nobody holds the folder; `train` says so if somebody does still."""
    for _ in range(20):
        try:
            with lock_run(run_dir):
                return
        except RunFolderError:
            time.sleep(_LOOK_S)


class Died(Exception):
    """A learner is gone; the text says how."""


def train_in_actors(
    settings: RunSettings, run_dir: Path, group: Any, observe: Observer, say: Callable[[str], None]
) -> dict[str, Any]:
    """Train with learners in the first bundles of a placement group; returns the summary.

    Where one dies, all are ended and started again from the newest checkpoint. Raises as `train`, and Lost where that
    happens too often.
    """
    launcher = settings.launcher
    failures: deque[float] = deque()
    with Stop(settings.stop_within_s, patient=True) as stop:
        while True:
            company = Company(settings, run_dir, group, again=bool(failures))
            try:
                return company.watch(observe, say, stop)
            except Died as died:
                now = time.monotonic()
                failures.append(now)
                while failures[0] < now - launcher.restart_window_s:
                    failures.popleft()
                if len(failures) > launcher.restarts:
                    raise Lost(
                        f"{died}, more than launcher.restarts={launcher.restarts} times within "
                        f"{launcher.restart_window_s:g} s; see Ray's logs for the cause, then go on with "
                        f"turnwise train --resume {run_dir}"
                    ) from None
                say(f"{died}; starting again from the newest checkpoint ({len(failures)} of {launcher.restarts} times)")
            finally:
                company.end()


class Company:
    """The actors of all ranks."""

    def __init__(self, settings: RunSettings, run_dir: Path, group: Any, *, again: bool) -> None:

        launcher = settings.launcher
        self._settings, self._group, self._again = settings, group, again
        learning = actor_class(Learning, "beside")
        self._actors = [
            learning.options(**seat(group, rank, cpus=launcher.learner_cpus, gpus=launcher.learner_gpus)).remote(
                settings, run_dir, rank, os.getcwd()
            )
            for rank in range(launcher.learners)
        ]
        self._runs: dict[Any, int] = {}
        """Reference to how a rank's run ends -> the rank."""

    def watch(self, observe: Observer, say: Callable[[str], None], stop: Stop) -> dict[str, Any]:
        """Until all ranks are done. Raises Died, Stopped, and what the ranks raise."""
        address = self._ask(0, "address", self._settings.launcher.start_timeout_s)
        self._runs = {
            actor.train.remote(self._group, address, self._again): rank for rank, actor in enumerate(self._actors)
        }
        ended: Ended | None = None
        told, until = False, math.inf
        while self._runs and time.monotonic() < until:
            if stop.signum and not told:
                told = True
                for actor in self._actors:
                    actor.stop.options(concurrency_group="beside").remote(stop.signum)
            for reference in self._done():
                rank = self._runs.pop(reference)
                found = self._result(reference, rank)
                if rank == 0:  # which has written everything: the others have only to take leave
                    ended, until = found, time.monotonic() + _ANSWER_S
            self._pass_on(observe, say)
        assert ended is not None  # rank 0 was one of them
        if ended.summary is None:
            raise Stopped(stop.signum or 0, ended.text)
        return ended.summary

    def _done(self) -> list[Any]:
        import ray

        done: list[Any] = ray.wait(list(self._runs), num_returns=1, timeout=_LOOK_S)[0]
        return done

    def _pass_on(self, observe: Observer, say: Callable[[str], None]) -> None:
        for kind, content in self._ask(0, "news", _ANSWER_S):
            (observe if kind == "record" else say)(content)

    def _ask(self, rank: int, method: str, within_s: float) -> Any:
        call = getattr(self._actors[rank], method).options(concurrency_group="beside")
        return self._result(call.remote(), rank, within_s)

    def _result(self, reference: Any, rank: int, within_s: float = _ANSWER_S) -> Any:
        """What a learner's method returns. Raises what it raises, Died, and Lost where this machine's node is gone."""
        import ray

        until = time.monotonic() + within_s
        while time.monotonic() < until and not ray.wait([reference], timeout=_LOOK_S)[0]:
            require_machine()
        try:
            return ray.get(reference, timeout=_LOOK_S)
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, Lost) and not isinstance(cause, NoEngines):  # a rank misses another one, that died
                raise Died(f"learner {rank} lost another one ({cause})") from None
            raise (cause if isinstance(cause, Exception) else error) from None
        except ray.exceptions.GetTimeoutError:
            raise Died(f"learner {rank} did not answer within {within_s:g} s") from None
        except ray.exceptions.RayError as error:
            raise Died(f"learner {rank} died ({type(error).__name__})") from None

    def end(self) -> None:
        """End all of them, and wait a little for it."""
        import ray

        for actor in self._actors:
            ray.kill(actor)
        if self._runs:
            ray.wait(list(self._runs), num_returns=len(self._runs), timeout=10 * _LOOK_S)
