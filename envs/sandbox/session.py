"""One session: a process that lives over several calls."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Protocol

from turnwise.envs.sandbox.call import ZygoteDied
from turnwise.envs.sandbox.result import Result

LOST = "the session had ended with an earlier call ({how}), its variables and files are gone: start another"


class Child(Protocol):
    """What answers request after request."""

    @property
    def alive(self) -> bool: ...

    def run(self, request: Mapping[str, Any], *, tier: str, session: bool) -> Result: ...

    def close(self) -> None: ...

    def disown(self) -> None: ...


class Session:
    """The child of one session, used by one call at a time."""

    def __init__(self, child: Child, tier: str, files: Mapping[str, Any]) -> None:
        self._child, self._tier, self._files = child, tier, dict(files)
        self._how = "closed"
        self._lock = threading.Lock()

    def run(self, request: Mapping[str, Any]) -> Result:
        """The next call of the session; `lost` where an earlier one ended it."""
        with self._lock:
            if not self._child.alive:
                return Result(status="lost", error=LOST.format(how=self._how), tier=self._tier)
            request = {**request, "files": {**self._files, **request["files"]}}
            self._files = {}
            try:
                result = self._child.run(request, tier=self._tier, session=True)
            except ZygoteDied:
                self._child.close()
                result = Result(status="lost", error=LOST.format(how="killed from outside"), tier=self._tier)
            self._how = result.status
            return result

    def close(self) -> None:
        """End the child. Idempotent."""
        with self._lock:
            self._child.close()

    def disown(self) -> None:
        """In a forked copy of this process: let go without ending anything."""
        self._child.disown()
