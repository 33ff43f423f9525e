"""How a run ends when it is told to: at once where that loses nothing, else when what belongs together is done."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(KeyboardInterrupt):
    """The run was told to end. `signum`: by which signal; the text says how to go on."""

    def __init__(self, signum: int, text: str = "stopped (a run goes on with turnwise train --resume RUN)") -> None:
        super().__init__(text)
        self.signum, self.text = signum, text

    @property
    def exit_code(self) -> int:
        """128 + the signal, as shells have it."""
        return 128 + self.signum


class Stop:
    """Listens to SIGTERM and SIGINT while its block runs, and raises `Stopped` where the program is then.

    It does so in the main thread alone; elsewhere it hears nothing. What must not be torn apart stands in a block of
    `whole`: a signal that comes meanwhile waits for its end. A signal that was ignored before is ignored still.

    within_s: seconds after the first signal at which the process ends, whatever it does then. Everything on the disk
    is whole at any moment, so that this costs the steps since the last checkpoint and no more.
    patient: raise in `check` alone, for ranks that have to agree on where they stop.
    """

    def __init__(self, within_s: float, *, patient: bool = False) -> None:
        self.within_s = within_s
        self.signum: int | None = None
        """The first signal that came."""
        self._whole = patient
        self._patient = patient
        self._before: dict[int, Any] = {}
        self._heard = threading.Event()
        self._over = threading.Event()

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for signum in SIGNALS:
                if signal.getsignal(signum) not in (signal.SIG_IGN, None):
                    self._before[signum] = signal.signal(signum, self._hear)
            threading.Thread(target=self._end_in_time, name="turnwise-stop", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._over.set()
        self._heard.set()

    @contextmanager
    def whole(self) -> Iterator[Callable[[], None]]:
        """A block from some point in which no signal interrupts: as soon as what it yields is called. Raises Stopped
        at that point, or at the end, where a signal came before."""
        try:
            yield self._begin
        finally:
            self._whole = self._patient
        if not self._patient:
            self.check()

    def _begin(self) -> None:
        if not self._whole:
            self.check()
        self._whole = True

    def check(self, told: int | None = None) -> None:
        """Raises Stopped where a signal has come. told: one that another rank has heard."""
        signum = self.signum or told
        if signum:
            raise Stopped(signum)

    def hush(self) -> None:
        """Raise no more: the run is about to end, and saves."""
        self._whole = self._patient = True

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is None:
            self.signum = signum
            self._heard.set()
            if not self._whole:
                raise Stopped(signum)

    def _end_in_time(self) -> None:
        """In a thread of its own, since the main one may be in the middle of a call that no signal gets through to."""
        self._heard.wait()  # no deadline: it waits for a signal that may never come, and ends with the process
        if self.signum is not None and not self._over.wait(self.within_s):
            line = f"turnwise: stopped after {self.within_s:g} s without another checkpoint; go on with --resume RUN\n"
            os.write(2, line.encode())
            os._exit(128 + self.signum)
