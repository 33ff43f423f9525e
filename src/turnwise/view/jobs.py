"""Work that takes longer than an answer may: one job at a time, in a thread of its own."""

from __future__ import annotations

import secrets
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from queue import Full, Queue
from typing import Any

MOST_WAITING = 4
MOST_KEPT = 50
Work = Callable[[str, Callable[[int, int], None]], Any]
"""(id of the job, what to tell (done, total)) -> result."""


class TooManyJobs(RuntimeError):
    """Others are to be finished first."""


class NoJob(KeyError):
    """There is no job of this id."""


@dataclass(slots=True)
class Job:
    """How far a job is."""

    state: str = "running"
    done: int = 0
    total: int = 0
    error: str | None = None
    result: Any = None

    def to_dict(self) -> dict[str, Any]:
        """Fit for JSON."""
        names = ("state", "done", "total", "error", "result")
        return {name: getattr(self, name) for name in names}


class Jobs:
    """Any thread may ask. The thread that works ends with the process."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._waiting: Queue[tuple[str, Work]] = Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self, work: Work) -> str:
        """Id of a new job. Raises TooManyJobs."""
        name = secrets.token_hex(8)
        with self._lock:
            try:
                self._waiting.put_nowait((name, work))
            except Full:
                raise TooManyJobs(f"{MOST_WAITING} comparisons are waiting already: let one of them end") from None
            for old in [key for key, job in self._jobs.items() if job.state != "running"][: -MOST_KEPT or None]:
                del self._jobs[old]
            self._jobs[name] = Job()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="turnwise-view-jobs", daemon=True)
                self._thread.start()
        return name

    def get(self, name: str) -> dict[str, Any]:
        """How far a job is. Raises NoJob."""
        with self._lock:
            if name not in self._jobs:
                raise NoJob(f"there is no job {name!r} here")
            return self._jobs[name].to_dict()

    def _work(self) -> None:
        while True:
            name, work = self._waiting.get()
            job = self._jobs[name]

            def tell(done: int, total: int, job: Job = job) -> None:
                job.done, job.total = done, total

            try:
                job.result = work(name, tell)
                job.state = "done"
            except Exception as error:  # whatever it is, the page is to hear of it, and the terminal of where it was
                traceback.print_exc()
                job.error, job.state = " ".join(str(error).split()) or type(error).__name__, "failed"
