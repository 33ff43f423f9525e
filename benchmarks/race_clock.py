"""How each side of `race_trl.py` is measured: processor time of a step, and the memory of its process."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Lap:
    """Processor and wall time since it was made, in seconds."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def read(self) -> dict[str, float]:
        return {"cpu_s": time.process_time() - self._cpu, "wall_s": time.perf_counter() - self._wall}


class Memory:
    """Resident set of this process: when this was made, and at its largest since."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the largest size counts from here
        self.start_mb = _status("VmRSS")

    def read(self) -> dict[str, float]:
        peak = _status("VmHWM")
        return {"memory_start_mb": self.start_mb, "memory_peak_mb": peak, "memory_above_mb": peak - self.start_mb}


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{key}:")) / 1e6


def report(laps: Sequence[Mapping[str, float]], **rest: Any) -> None:
    """Print one line of JSON: means over the steps but the first, and the rest."""
    timed = laps[1:]
    means = {name: statistics.fmean(lap[name] for lap in timed) for name in timed[0]}
    sys.stdout.write(json.dumps({**means, "steps": len(timed), "laps": [lap["cpu_s"] for lap in laps], **rest}) + "\n")
