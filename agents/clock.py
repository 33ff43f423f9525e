"""Time spent inside the model, so that a run can say what everything else cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class ModelClock:
    """Adds up the wall time of the blocks run under `running()`."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        started = self._now()
        yield
        self.seconds += self._now() - started

    def _now(self) -> float:
        if self._cuda:  # kernels run behind our back: wait for them, or their time lands on somebody else
            torch.cuda.synchronize()
        return time.perf_counter()
