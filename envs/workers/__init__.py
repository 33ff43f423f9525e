"""Games that live in worker processes: `RemoteGame`, and the pool that it takes its worker from."""

from __future__ import annotations

from turnwise.envs.workers.pool import WorkerPool, worker_pool
from turnwise.envs.workers.remote import RemoteGame, may_block

__all__ = ["RemoteGame", "WorkerPool", "may_block", "worker_pool"]
