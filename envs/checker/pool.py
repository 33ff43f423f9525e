"""`check_targets`: games by name, checked in worker processes, so that one that hangs or dies spoils nothing else."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from turnwise.envs.checker.catalogue import CHECKS, chosen
from turnwise.envs.checker.processes import check_processes
from turnwise.envs.checker.result import FAILED, Report, Result, joined, report_from_dict

LONGEST_GAME_S = 300.0
"""Seconds after which a worker that still checks one game is killed."""
_RECYCLED_AFTER = 40  # games, so that what they cache does not add up

Say = Callable[[Report], None]


class Worker:
    """One child process. `check` gives a report whatever happens to it; `alive` says whether it can be asked again."""

    def __init__(self, longest_s: float = LONGEST_GAME_S) -> None:
        self.longest_s, self.alive, self.checked = longest_s, True, 0
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed with the worker
        self._process = subprocess.Popen(
            [sys.executable, "-m", "turnwise.envs.checker.worker", os.getcwd()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            text=True,
        )

    def check(self, target: str, part: str | None) -> Report:
        """The report on one game; where the process hangs or dies, one failure that says so."""
        assert self._process.stdin is not None and self._process.stdout is not None
        begin = time.perf_counter()
        alarm = threading.Timer(self.longest_s, self._process.kill)
        alarm.start()
        try:
            self._process.stdin.write(json.dumps({"target": target, "part": part}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            alarm.cancel()
        self.checked += 1
        if line:
            return report_from_dict(json.loads(line))
        self.alive = False
        return _lost(target, self._why(time.perf_counter() - begin), time.perf_counter() - begin)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _why(self, seconds: float) -> str:
        code = self._process.wait()
        if seconds >= self.longest_s:
            return f"a game is checked in less than {self.longest_s:g} s: this one was given up"
        self._errors.seek(0)
        last = "".join(self._errors.readlines()[-3:]).strip()
        return f"checking ended the process (exit code {code}); its last words: {last[-300:] or 'none'}"


def check_targets(
    targets: Sequence[str], part: str | None = None, *, jobs: int = 2, say: Say | None = None
) -> list[Report]:
    """The reports on these games, in their order; `say` hears each as it comes. part: see `catalogue.chosen`."""
    outside = _from_outside(targets, part)
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for target in targets:
        waiting.put(target)
    found: dict[str, Report] = {}

    def tell(report: Report) -> None:
        found[report.target] = joined(report.target, [report, outside[report.target]])
        if say is not None:
            say(found[report.target])

    with ThreadPoolExecutor(max(1, min(jobs, len(targets)))) as pool:
        for done in [pool.submit(_work, waiting, part, tell) for _ in range(max(1, min(jobs, len(targets))))]:
            done.result()
    return [found[target] for target in targets]


def _work(waiting: queue.SimpleQueue[str], part: str | None, tell: Say) -> None:
    """Check games until none is left, with a worker at a time."""
    worker: Worker | None = None
    while True:
        try:
            target = waiting.get_nowait()
        except queue.Empty:
            break
        if worker is None:
            worker = Worker()
        tell(worker.check(target, part))
        if not worker.alive or worker.checked >= _RECYCLED_AFTER:
            worker.close()
            worker = None
    if worker is not None:
        worker.close()


def _from_outside(targets: Sequence[str], part: str | None) -> dict[str, Report]:
    """What processes of their own say, as far as it is asked for."""
    wanted = {check.name for check in chosen(part) if check.run is None}
    if not wanted:
        return {target: Report(target=target, results=()) for target in targets}
    return {
        target: Report(
            target=target,
            results=tuple(result for result in report.results if result.name in wanted),
            seconds=report.seconds,
        )
        for target, report in check_processes(targets).items()
    }


def _lost(target: str, why: str, seconds: float) -> Report:
    """The report on a game that took its process with it."""
    group = CHECKS[0].group
    return Report(
        target=target,
        results=(Result(name="checking", group=group, verdict=FAILED, detail=why, seconds=seconds),),
        seconds=seconds,
    )
