"""A pool of two workers, and games in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from turnwise.envs.registry import GAMES
from turnwise.envs.spec import GameSpec
from turnwise.envs.workers import RemoteGame, WorkerPool, worker_pool

Remote = Callable[..., RemoteGame]


# Workers import what this process can import: `worker_games` needs a name that both know.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(2, patience_s=0.2)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[WorkerPool]:
    """One worker for tests that leave it alive."""
    pool = WorkerPool(1)
    yield pool
    pool.close()


@pytest.fixture
def remote(shared: WorkerPool) -> Remote:
    """`remote("Lab", level="hard")`: a game of `worker_games` in the shared pool, or in `pool`."""

    def make(name: str = "Lab", pool: WorkerPool | None = None, **kwargs: Any) -> RemoteGame:
        deadlines = {key: kwargs.pop(key) for key in ("deadline_s", "start_deadline_s") if key in kwargs}
        return RemoteGame(f"worker_games:{name}", kwargs, pool=pool or shared, **deadlines)

    return make


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process's own pool nobody waits long behind another game."""
    pool = worker_pool()
    pool.close()
    monkeypatch.setattr(pool, "patience_s", 0.2)


@pytest.fixture
def slow_lab(monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of the lab, marked as slow."""
    spec = GameSpec(id="SlowLab-LLM", entry_point="worker_games:Lab", slow=True)
    monkeypatch.setitem(GAMES, spec.id, spec)
    return spec.id
