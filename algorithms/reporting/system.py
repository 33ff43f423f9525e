"""What the machine and this process are doing: processor, memory, disk, GPU."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

GIB = 2**30
EVERY_S = 5.0


class System:
    """Reads the machine now and then. Its figures differ between two runs of one seed."""

    def __init__(self, folder: Path, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        """`folder`: on the disk whose free space counts. Between two readings lie at least `every_s` seconds."""
        import psutil

        self._folder, self._every_s, self._clock = folder, every_s, clock
        self._process = psutil.Process()
        self._process.cpu_percent()  # counts from here
        self._due = clock()

    def read(self) -> dict[str, float]:
        """The figures, or {} where it is too early for new ones.

        `cpu_cores`: processor time of this process since the last reading, in cores. `load_1min`: processes that run
        or wait on this machine. Memory and disk in GiB. Of the GPU, where there is one: what tensors hold, what torch
        has reserved, the most that tensors held, free memory, and the share of time it was busy where torch can tell.
        """
        if self._clock() < self._due:
            return {}
        self._due = self._clock() + self._every_s
        return self._process_figures() | self._machine_figures() | gpu_figures()

    def _process_figures(self) -> dict[str, float]:
        with self._process.oneshot():
            return {
                "cpu_cores": self._process.cpu_percent() / 100,
                "rss_gib": self._process.memory_info().rss / GIB,
                "threads": float(self._process.num_threads()),
            }

    def _machine_figures(self) -> dict[str, float]:
        import psutil

        found = {"memory_free_gib": psutil.virtual_memory().available / GIB}
        if hasattr(os, "getloadavg"):
            found["load_1min"] = os.getloadavg()[0]
        return found | {"disk_free_gib": psutil.disk_usage(str(self._folder)).free / GIB}


def gpu_figures() -> dict[str, float]:
    """Of the current CUDA device; {} where this process uses none."""
    import torch

    if not torch.cuda.is_initialized():
        return {}
    free, total = torch.cuda.mem_get_info()
    found = {
        "gpu_tensors_gib": torch.cuda.memory_allocated() / GIB,
        "gpu_reserved_gib": torch.cuda.memory_reserved() / GIB,
        "gpu_most_gib": torch.cuda.max_memory_allocated() / GIB,
        "gpu_free_gib": free / GIB,
        "gpu_total_gib": total / GIB,
    }
    try:
        return found | {"gpu_busy_share": torch.cuda.utilization() / 100}
    except Exception:  # needs nvidia-ml-py; a part of a GPU (MIG) tells nothing, with an error of that package's
        return found
