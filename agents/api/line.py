"""`Line`: requests under way, each a coroutine; whoever asked takes the results as they come."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import queue
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_CLOSE_S = 5.0
"""Longest wait for connections to be closed."""


class Line(Generic[T]):
    """An event loop in a thread of its own. Any thread may `call`; the others are for one rollout at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="turnwise-api", daemon=True)
        self._thread.start()
        self._waiting: dict[int, Future[T]] = {}
        self._done: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._numbers = itertools.count()

    def call(self, job: Coroutine[Any, Any, R]) -> Future[R]:
        """Begin a job whose result goes to the caller alone."""
        return asyncio.run_coroutine_threadsafe(job, self._loop)

    def submit(self, jobs: Sequence[Coroutine[Any, Any, T]]) -> list[int]:
        """Begin jobs whose results `receive` gives; returns their numbers, in order."""
        return [self._begin(job) for job in jobs]

    def _begin(self, job: Coroutine[Any, Any, T]) -> int:
        number = next(self._numbers)
        future = self._waiting[number] = self.call(job)
        future.add_done_callback(lambda _: self._done.put(number))
        return number

    def receive(self, timeout_s: float) -> list[tuple[int, T]]:
        """(number, result) of every job that is done, once one is; [] after `timeout_s`. Raises what a job raises."""
        found: list[tuple[int, T]] = []
        while self._waiting:
            try:
                number = self._done.get_nowait() if found else self._done.get(timeout=timeout_s)
            except queue.Empty:
                break
            future = self._waiting.pop(number, None)
            if future is not None:  # else it was withdrawn
                found.append((number, future.result()))
        return found

    def withdraw(self, numbers: Sequence[int]) -> None:
        """Cancel jobs: their connections are closed, by which servers know that nobody waits any more."""
        for number in numbers:
            future = self._waiting.pop(number, None)
            if future is not None:
                future.cancel()

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Cancel everything, run `last`, end the thread."""
        self.withdraw(list(self._waiting))
        with contextlib.suppress(TimeoutError):  # the thread is a daemon: what hangs in it holds nobody up
            asyncio.run_coroutine_threadsafe(last, self._loop).result(_CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_S)
        if not self._thread.is_alive():
            self._loop.close()
