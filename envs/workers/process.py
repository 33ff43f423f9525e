"""`Worker`: a Python process that holds games, and the pipe to it."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing import Pipe
from typing import Any

from turnwise.envs.core import EnvFailure
from turnwise.envs.workers.protocol import READY, Answer, Request

# A plain interpreter instead of multiprocessing: it runs no `__main__` of the user's a second time, and inherits
# neither threads nor locks of torch.
_MAIN = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]); from turnwise.envs.workers.serve import main; "
    "main(int(sys.argv[1]), int(sys.argv[2]))"
)
COME_UP_S = 120.0
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Elsewhere(Exception):
    """This worker is dead, or busy with another game for too long: the game has to move to another one."""


class Worker:
    """One process. Requests are answered one after the other; threads that come meanwhile wait for their turn.

    patience_s: for so many seconds a thread waits behind one request of another game before it looks elsewhere.
    """

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self.games: set[int] = set()
        """Numbers of the games that live here."""
        self.owner = os.getpid()
        self._forget: deque[int] = deque()
        self._turn = threading.Lock()
        self._ready = False
        self._since: float | None = None
        """When the request that is being answered was sent, by the monotonic clock."""
        self._connection, theirs = Pipe()
        lifeline, self._lifeline = os.pipe()
        paths = json.dumps([os.path.abspath(path) for path in sys.path])
        self._process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, str(theirs.fileno()), str(lifeline), paths],
            pass_fds=(theirs.fileno(), lifeline),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,  # Ctrl-C is the main process's business, and a kill takes grandchildren along
        )
        theirs.close()
        os.close(lifeline)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Alive, and this process's own: a forked child must leave its parent's workers alone."""
        return not self._connection.closed and self.owner == os.getpid() and self._process.poll() is None

    @property
    def stuck(self) -> bool:
        """Has it been busy with one request for longer than anybody should wait?"""
        since = self._since
        return since is not None and time.monotonic() - since > self.patience_s

    def discard(self, game: int) -> None:
        """Forget a game with the next request. May be called at any time, by a garbage collector too."""
        self.games.discard(game)
        self._forget.append(game)

    def ask(
        self, game: int, operation: str, arguments: tuple[Any, ...], deadline_s: float, movable: Callable[[], bool]
    ) -> Answer:
        """The answer to one request.

        movable: whether there is another worker that could take the game, asked when this one is stuck.
        Raises EnvFailure where this request hangs or kills the worker, Elsewhere where another one does.
        """
        while not self._turn.acquire(timeout=self.patience_s / 4):
            if not self.usable or (self.stuck and movable()):
                raise Elsewhere
        try:
            if not self.usable:
                raise Elsewhere
            forget = tuple(self._forget.popleft() for _ in range(len(self._forget)))
            return self._exchange(Request(game, operation, arguments, forget), deadline_s)
        finally:
            self._since = None
            self._turn.release()

    def _exchange(self, request: Request, deadline_s: float) -> Answer:
        data = pickle.dumps(request)
        try:
            if not self._ready:
                self._come_up()
            self._since = time.monotonic()
            self._connection.send_bytes(data)
            if self._connection.poll(deadline_s):
                return _unpack(self._connection.recv_bytes())
            reason = f"{request.operation} did not come back within {deadline_s:g} s"
        except (EOFError, OSError):
            self.kill()
            reason = f"the worker process died during {request.operation} (exit code {self._process.returncode})"
        self.kill()
        raise EnvFailure(reason)

    def _come_up(self) -> None:
        """Wait for a process that has just been started; no game's deadline counts that. Raises EOFError."""
        self._ready = self._connection.poll(COME_UP_S) and self._connection.recv_bytes() == READY
        if not self._ready:
            raise EOFError

    def kill(self) -> None:
        """End the process and what it has started, at once. A forked child only lets go of its ends of the pipes."""
        if self._connection.closed:
            return
        if self.owner == os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._connection.close()
        os.close(self._lifeline)


def _unpack(data: bytes) -> Answer:
    try:
        answer: Answer = pickle.loads(data)
    except Exception as error:  # a game may return what only its worker knows
        return Answer("failed", f"what the game returned cannot be read here: {type(error).__name__}: {error}")
    return answer
