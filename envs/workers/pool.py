"""`WorkerPool`: a few workers for any number of games, and the one pool of this process."""

from __future__ import annotations

import atexit
import os
import threading

from turnwise.envs.workers.process import Worker

MOST_BY_DEFAULT = 4
PATIENCE_S = 5.0


class WorkerPool:
    """Starts workers as games need them and replaces those that hang or die.

    size: most workers that are able to serve; None: as many as there are cores, at most 4. A worker that is stuck
    does not count, so that up to twice as many processes may live for a while.
    patience_s: after so many seconds behind one request of another game a game moves to another worker.
    """

    def __init__(self, size: int | None = None, *, patience_s: float = PATIENCE_S) -> None:
        if size is not None and size < 1:
            raise ValueError(f"a pool has at least 1 worker, or None for one per core: got {size}")
        if patience_s <= 0:
            raise ValueError(f"patience_s is a positive number of seconds: got {patience_s}")
        self.size = size or min(MOST_BY_DEFAULT, len(os.sched_getaffinity(0)))
        self.patience_s = patience_s
        self._workers: list[Worker] = []
        self._lock = threading.Lock()

    @property
    def pids(self) -> list[int]:
        """The processes that are alive."""
        return [worker.pid for worker in self._workers if worker.usable]

    def take(self, game: int) -> Worker:
        """A worker for the game of this number: a new one while there is room, else the one with the fewest games."""
        with self._lock:
            able = self._able()
            room = self._room(able)
            best = min(able or ([] if room else self._workers), key=_load, default=None)
            if best is None or (_load(best) > 0 and room):
                best = Worker(self.patience_s)
                self._workers.append(best)
            best.games.add(game)
            return best

    def has_better(self) -> bool:
        """Could a game that waits behind a stuck worker be served by another one now?"""
        with self._lock:
            able = self._able()
            return bool(able) or self._room(able)

    def close(self) -> None:
        """End every worker. Games that live there begin anew, or play on, with new ones."""
        with self._lock:
            for worker in self._workers:
                worker.kill()
            self._workers.clear()

    def _able(self) -> list[Worker]:
        self._workers = [worker for worker in self._workers if worker.usable]
        return [worker for worker in self._workers if not worker.stuck]

    def _room(self, able: list[Worker]) -> bool:
        return len(able) < self.size and len(self._workers) < 2 * self.size


def _load(worker: Worker) -> int:
    return len(worker.games)


_pools: dict[int, WorkerPool] = {}  # by process: a forked child gets its own
_pools_lock = threading.Lock()


def worker_pool(size: int | None = None) -> WorkerPool:
    """The pool of this process, which ends with it. size: from now on, most workers of it."""
    with _pools_lock:
        pool = _pools.get(os.getpid())
        if pool is None:
            pool = _pools[os.getpid()] = WorkerPool(size)
            atexit.register(pool.close)
        elif size is not None:
            pool.size = size
        return pool
