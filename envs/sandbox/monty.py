"""The tier `monty`: Pydantic's interpreter of a part of Python, in worker processes. No walls of the kernel needed.

It lacks classes with bases, `yield`, files, most modules; math, re, json, collections, itertools, decimal, datetime and
random are there. Sleeping returns at once, and random starts from seed 0.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from turnwise.envs.sandbox.errors import SandboxUnavailable
from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.result import Result, Status

TIER = "monty"
GRACE_S = 2.0
"""A worker that overstays its time by this much is killed by the pool."""


class MontyRunner:
    """A pool of workers. Raises: SandboxUnavailable where pydantic-monty is not installed or does not start."""

    def __init__(self, limits: Limits) -> None:
        try:
            from pydantic_monty import Monty
        except ModuleNotFoundError as error:
            lacking = 'the tier monty needs pydantic-monty: pip install "turnwise[monty]"'
            raise SandboxUnavailable(lacking) from error
        self.limits = limits
        try:
            self._pool = Monty(request_timeout=limits.wall_s + GRACE_S)
            self._pool.__enter__()
        except (OSError, RuntimeError) as error:
            raise SandboxUnavailable(f"pydantic-monty does not start: {error}") from error

    def run(self, request: Mapping[str, Any]) -> Result:
        """One call in a session of its own."""
        session = self.session()
        try:
            return session.run(request, tier=TIER, session=False)
        finally:
            session.close()

    def session(self) -> MontySession:
        """A worker to itself."""
        seconds = min(self.limits.wall_s, self.limits.cpu_s)
        checked_out = self._pool.checkout(
            script_name="code",
            limits={"max_feed_duration_secs": seconds, "max_memory": self.limits.memory_mb << 20},
            os_policy={"sleep": "zero", "random_start": {"seed": 0}},
        )
        return MontySession(checked_out, self.limits)

    def close(self) -> None:
        """End the workers."""
        self._pool.__exit__(None, None, None)


class MontySession:
    """Code after code in one worker."""

    def __init__(self, checked_out: Any, limits: Limits) -> None:
        self.limits = limits
        self.alive = True
        self._session = checked_out.__enter__()

    def run(self, request: Mapping[str, Any], *, tier: str, session: bool) -> Result:
        """What came of the code; a session that ran out of time is over."""
        from pydantic_monty import CollectString, MontyCrashedError, MontyError

        printed, start = CollectString(max_bytes=self.limits.flood_bytes), time.monotonic()
        status, value, error = "ok", None, None
        try:
            value = self._session.feed_run(request["code"], print_callback=printed)
        except MontyCrashedError as crash:
            status, error = ("timeout" if getattr(crash, "timed_out", False) else "killed"), f"killed: {crash}"
        except MontyError as raised:
            status, error = _status(raised, self.limits), raised.display()  # type: ignore[attr-defined]
        if status not in ("ok", "error"):
            self.close()
        return self._result(status, value, error, printed.output, time.monotonic() - start)  # type: ignore[arg-type]

    def close(self) -> None:
        """Give the worker back. Idempotent."""
        if self.alive:
            self.alive = False
            self._session.__exit__(None, None, None)

    def disown(self) -> None:
        """The pool's threads are not in a forked copy of this process: there is nothing to give back."""
        self.alive = False

    def _result(self, status: Status, value: Any, error: str | None, printed: str, seconds: float) -> Result:
        most = self.limits.output_bytes
        kept = printed.encode("utf-8", "replace")[:most].decode("utf-8", "replace")
        return Result(
            status=status,
            stdout=kept,
            value=None if value is None else _shown(value)[:most],
            error=None if error is None else error[-most:],
            seconds=seconds,
            truncated_output=len(kept) < len(printed),
            tier=TIER,
        )


def _status(raised: Any, limits: Limits) -> Status:
    inner = raised.exception()
    if isinstance(inner, TimeoutError) and "time limit exceeded" in str(inner):
        return "timeout"
    if isinstance(inner, MemoryError):
        return "output" if str(inner).endswith(f"> {limits.flood_bytes} bytes") else "memory"
    return "error"


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError) as error:
        return f"({type(value).__name__}: {error})"
