"""Where something is measured, and how time and memory are read there."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch


class Place:
    """The device."""

    def __init__(self, cpu: bool) -> None:
        self.device = torch.device("cpu" if cpu else "cuda")
        self.name = "cpu" if cpu else torch.cuda.get_device_name()
        self.cuda = not cpu

    def wait(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], Any], repeats: int = 3) -> float:
        """The shortest of some repeats; one before them does not count. CPU time on a CPU, wall time on a GPU."""
        clock = time.perf_counter if self.cuda else time.process_time
        spent = []
        for _ in range(repeats + 1):
            self.wait()
            before = clock()
            work()
            self.wait()
            spent.append(clock() - before)
        return max(min(spent[1:]), 1e-9)

    def kernel_seconds(self, work: Callable[[], Any], repeats: int = 5) -> float:
        """The same on a CPU; on a GPU by its own clock, with all of the work queued before it begins."""
        if not self.cuda:
            return self.seconds(work, repeats)
        work()
        spent = []
        for _ in range(repeats):
            torch.cuda._sleep(5_000_000)  # a few milliseconds
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            work()
            end.record()
            end.synchronize()
            spent.append(begin.elapsed_time(end) / 1e3)
        return max(min(spent), 1e-9)

    def peak(self) -> int | None:
        """Most bytes allocated since the last time; None on a CPU."""
        if not self.cuda:
            return None
        most = torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        return most

    def clear(self) -> None:
        """Give back what nobody holds any more, cycles too."""
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()

    def random(self, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Of a fixed seed, spread 1."""
        generator = torch.Generator(self.device).manual_seed(sum(shape))
        return torch.randn(shape, generator=generator, device=self.device).to(dtype)


class Ceilings(NamedTuple):
    """What the device does at best, read when it is asked."""

    flops: float
    """A second, in a product of square matrices."""
    bytes: float
    """A second, read and written, in a copy."""

    def floor(self, flops: float, moved: float) -> float:
        """Seconds below which work of so many FLOPs and bytes cannot come."""
        return max(flops / self.flops, moved / self.bytes)


def read_ceilings(place: Place, side: int, copied: int, dtype: torch.dtype) -> tuple[Ceilings, float, float]:
    """The ceilings, and the seconds of the product and of the copy that they come from."""
    left, right = (place.random(side, side, dtype=dtype) for _ in range(2))
    product = place.seconds(lambda: left @ right, 10)
    source = torch.zeros(copied, dtype=torch.uint8, device=place.device)
    target = torch.empty_like(source)
    copy = place.seconds(lambda: target.copy_(source), 10)
    return Ceilings(2 * side**3 / product, 2 * copied / copy), product, copy
