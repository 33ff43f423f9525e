"""Trackers beside a run: each in a thread of its own, so that none holds the run up, and none that fails stops it."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from turnwise.algorithms.files import write_atomically
from turnwise.algorithms.reporting.trackers import About, Rows, Tracker, opener

IDENTITIES = "trackers.json"
MOST_WAITING = 10_000
"""Steps that a tracker may be behind before it counts as failed."""
OPEN_WITHIN_S = 30.0
"""What a run waits for a tracker to open before its first step goes on; the tracker may take longer."""
PATIENCE_S = 60.0
"""What a tracker may take to send the rest when a run closes."""

_CLOSE = object()


class Trackers:
    """All trackers of a run. What identifies the run in each stands in RUN/trackers.json, so that it goes on there.

    Packages are imported by the thread that makes this object, and the first `write` waits while trackers open: other
    code that looks at modules meanwhile would find half-made ones.
    """

    def __init__(
        self,
        names: Sequence[str],
        about: Callable[[Mapping[str, str]], About],
        run_dir: Path,
        *,
        opening: Callable[[str], Callable[[About], Tracker]] = opener,
        open_within_s: float = OPEN_WITHIN_S,
    ) -> None:
        """`about`: what is known of the run there -> all that a tracker is told of it."""
        self._path, self._lock, self._open_within_s = run_dir / IDENTITIES, threading.Lock(), open_within_s
        self._known: dict[str, dict[str, str]] = json.loads(self._path.read_text()) if self._path.exists() else {}
        self._relays = {name: self._relay(name, opening, about) for name in names}
        self._told: set[str] = set()

    def _relay(
        self,
        name: str,
        opening: Callable[[str], Callable[[About], Tracker]],
        about: Callable[[Mapping[str, str]], About],
    ) -> Relay:
        known = self._known.get(name, {})
        try:
            opens = opening(name)
        except (Exception, SystemExit) as error:  # a package that cannot be imported here
            return Relay(None, self._keep(name), failure=said(error))
        return Relay(lambda: opens(about(known)), self._keep(name))

    def _keep(self, name: str) -> Callable[[Mapping[str, str]], None]:
        def keep(identity: Mapping[str, str]) -> None:
            with self._lock:
                self._known[name] = dict(identity)
                write_atomically(self._path, json.dumps(self._known, indent=1) + "\n")

        return keep

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Hand over one step; returns at once, but for the first step, which waits a while for trackers to open."""
        for relay in self._relays.values():
            relay.put((step, numbers))
        for relay in self._relays.values():
            relay.opened.wait(self._open_within_s)

    def end(self, summary: Mapping[str, Any]) -> None:
        """The run has come to its end."""
        for relay in self._relays.values():
            relay.put(summary)

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Wait for what is not sent yet, so long as patience lasts."""
        for relay in self._relays.values():
            relay.close()
        for relay in self._relays.values():
            relay.wait(patience_s)

    def news(self) -> list[str]:
        """What is to be told of trackers that have failed, each once."""
        found = [
            f"the tracker {name} failed and is left out from now on, metrics.jsonl has everything: {relay.failure}"
            for name, relay in self._relays.items()
            if relay.failure is not None and name not in self._told
        ]
        self._told |= {name for name, relay in self._relays.items() if relay.failure is not None}
        return found


class Relay:
    """Carries steps to one tracker."""

    def __init__(
        self,
        opening: Callable[[], Tracker] | None,
        keep: Callable[[Mapping[str, str]], None],
        *,
        failure: str | None = None,
    ) -> None:
        """`keep`: called with the run's identity once it is open. `failure`: why it cannot even be tried."""
        self._opening, self._keep, self.failure = opening, keep, failure
        self._waiting: queue.Queue[Any] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self.opened = threading.Event()
        """It is open, or has failed."""
        if failure is not None:
            self.opened.set()

    def put(self, item: tuple[int, Mapping[str, float]] | Mapping[str, Any] | object) -> None:
        """Hand over a step, a summary, or the end. The first one opens the tracker."""
        if self.failure is not None:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._carry, daemon=True, name="tracker")
            self._thread.start()
        try:
            self._waiting.put_nowait(item)
        except queue.Full:
            self.failure = f"it is {MOST_WAITING} steps behind"

    def close(self) -> None:
        """Nothing more will come."""
        if self._thread is not None:
            self.put(_CLOSE)

    def wait(self, patience_s: float) -> None:
        """Until all is sent."""
        if self._thread is None:
            return
        self._thread.join(patience_s)
        if self._thread.is_alive() and self.failure is None:
            self.failure = f"it did not take the last steps within {patience_s:g} s"

    def _carry(self) -> None:
        assert self._opening is not None
        try:
            tracker = self._opening()
            self._keep(tracker.identity)
            self.opened.set()
            whole = False
            while self.failure is None:
                items = self._next()
                rows: Rows = [item for item in items if isinstance(item, tuple)]
                if rows:
                    tracker.write(rows)
                for item in items:
                    if isinstance(item, Mapping):
                        tracker.end(item)
                        whole = True
                    elif item is _CLOSE:
                        return tracker.close(whole)
        except (Exception, SystemExit) as error:  # whatever another package does: the run goes on
            self.failure = said(error)
            self.opened.set()

    def _next(self) -> list[Any]:
        """All that waits, at least one."""
        items = [self._waiting.get()]
        while not self._waiting.empty():
            items.append(self._waiting.get())
        return items


def said(error: BaseException) -> str:
    """The error in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
