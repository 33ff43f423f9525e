"""Time spent inside the model, so that a run can say what everything else cost."""

from __future__ import annotations

import time

import torch


class ModelClock:
    """Adds up the wall time of the blocks run under `running()`."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self.seconds = self._started = 0.0

    def running(self) -> ModelClock:
        """What to enter for as long as the model runs; not twice at a time."""
        return self

    def __enter__(self) -> None:
        self._started = self._now()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.seconds += self._now() - self._started

    def _now(self) -> float:
        if self._cuda:  # kernels run behind our back: wait for them, or their time lands on somebody else
            torch.cuda.synchronize()
        return time.perf_counter()
