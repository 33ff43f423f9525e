"""Games that hang, die or raise end their own episodes, and nobody else's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import worker_games

from turnwise.envs.core import EnvFailure
from turnwise.envs.workers import RemoteGame, WorkerPool

Remote = Callable[..., RemoteGame]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def alive(pid: int) -> bool:
    """Does the process run? A zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never came true")


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("crash", "KeyError: 'door'"),
        ("fail", "the lab has no water"),
        ("exit", "SystemExit: 3"),
        ("unsendable", "what the game returned cannot be sent"),
        ("die", r"the worker process died during play \(exit code -9\)"),
        ("hang", "play did not come back within 0.5 s"),
    ],
)
def test_a_failure_ends_the_episode_and_the_next_one_begins_anew(
    action: str, reason: str, remote: Remote, pool: WorkerPool
) -> None:
    game = remote(pool=pool, deadline_s=0.5)
    game.start(rng(1))
    with pytest.raises(EnvFailure, match=reason):
        game.play(action)
    assert game.seat is None
    for call in (lambda: game.play("add"), lambda: game.observe("player_0"), game.legal, game.anchor):
        with pytest.raises(EnvFailure, match=reason):
            call()
    game.start(rng(1))
    expected = worker_games.Lab()
    expected.start(rng(1))
    assert game.observe("player_0") == expected.observe("player_0")
    assert game.play("add") == expected.play("add")
    assert len(pool.pids) == 1


@pytest.mark.parametrize(("how", "reason"), [("crash", "KeyError: 'door'"), ("hang", "start did not come back within")])
def test_a_start_can_fail_too(how: str, reason: str, remote: Remote, pool: WorkerPool) -> None:
    game = remote(pool=pool, at_start=how, start_deadline_s=0.8)
    for _ in range(2):
        with pytest.raises(EnvFailure, match=reason):
            game.start(rng())
    assert game.seat is None


def test_nobody_waits_for_a_game_that_hangs(remote: Remote, threads: ThreadPoolExecutor) -> None:
    """Two games in one worker: when the first one hangs, the second one moves on, to another worker."""
    pool = WorkerPool(1, patience_s=0.1)
    hanging, other = remote(pool=pool, deadline_s=30), remote(pool=pool)
    expected = worker_games.Lab()
    for game in (hanging, other, expected):
        game.start(rng(3))
    (old,) = pool.pids
    for game in (other, expected):
        game.observe("player_0")
        game.play("add")
    stuck = threads.submit(hanging.play, "hang")
    until(lambda: hanging._worker is not None and hanging._worker.stuck)
    assert [other.play("add") for _ in range(3)] == [expected.play("add") for _ in range(3)]
    assert other.observe("player_0") == expected.observe("player_0")
    assert not stuck.done() and len(pool.pids) == 2
    os.kill(old, signal.SIGKILL)
    with pytest.raises(EnvFailure, match="died during play"):
        stuck.result()
    until(lambda: not alive(old))
    pool.close()


def test_games_of_a_dead_worker_play_on_in_another(remote: Remote, pool: WorkerPool) -> None:
    game, expected = remote(pool=pool), worker_games.Lab()
    for one in (game, expected):
        one.start(rng(7))
    for _ in range(3):
        assert game.play("add") == expected.play("add")
        (pid,) = pool.pids
        os.kill(pid, signal.SIGKILL)
        until(lambda: not pool.pids)
        assert game.board("player_0") == expected.board("player_0")
    pool.close()
    assert game.play("stop") == expected.play("stop")
    assert game.observe("player_0") == expected.observe("player_0")


def test_a_game_that_comes_out_differently_is_not_trusted(remote: Remote, pool: WorkerPool) -> None:
    game = remote(pool=pool, honest=False)  # its legal actions tell the worker's process id
    game.start(rng())
    os.kill(pool.pids[0], signal.SIGKILL)
    until(lambda: not pool.pids)
    with pytest.raises(EnvFailure, match="came out differently when it was played again"):
        game.play("add")


def test_a_pool_grows_with_its_games_and_no_further(remote: Remote, pool: WorkerPool) -> None:
    games = [remote(pool=pool) for _ in range(5)]
    assert pool.pids == []
    sizes = []
    for game in games:
        game.start(rng())
        sizes.append(len(pool.pids))
    assert sizes == [1, 2, 2, 2, 2]
    assert sorted(len(worker.games) for worker in pool._workers) == [2, 3]


SCRIPT = """
import os, sys, threading, time
sys.path.insert(0, sys.argv[1])
import numpy as np
from turnwise.envs.workers import RemoteGame, worker_pool
game = RemoteGame("worker_games:Lab", {{}})
game.start(np.random.default_rng(0))
{rest}
"""
HANGS = """
threading.Thread(target=lambda: game.play("hang"), daemon=True).start()
time.sleep(0.2)
print(*worker_pool().pids, flush=True)
time.sleep(60)
"""
FORKS = """
first = worker_pool().pids
game.play("add")
child = os.fork()
twin = game.board("player_0")
assert (worker_pool().pids == first) == bool(child)
game.play("stop")
if not child:
    worker_pool().close()
    os._exit(0 if len(first) == 1 else 1)
assert os.waitpid(child, 0)[1] == 0
game.start(np.random.default_rng(1))
assert worker_pool().pids == first
print(*first)
"""


def script(rest: str) -> subprocess.Popen[str]:
    here = str(Path(worker_games.__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(rest=rest), here],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_worker_that_hangs_ends_with_its_parent() -> None:
    with script(HANGS) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    until(lambda: not alive(pid))


def test_a_forked_child_plays_on_with_workers_of_its_own() -> None:
    with script(FORKS) as parent:
        printed, _ = parent.communicate(timeout=60)
    assert parent.returncode == 0
    until(lambda: not alive(int(printed)))
