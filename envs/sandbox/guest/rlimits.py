"""The kernel's own limits on a process."""

from __future__ import annotations

import math
import resource
from collections.abc import Mapping
from typing import Any


def apply(limits: Mapping[str, Any], *, session: bool) -> None:
    """Set them for good: soft and hard limit alike.

    Processor time counts from the start of the process, so in a session the zygote's watch alone bounds each call.
    """
    memory = limits["memory_mb"] << 20
    bounds = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if not session:
        bounds[resource.RLIMIT_CPU] = math.ceil(limits["cpu_s"]) + 1
    for kind, bound in bounds.items():
        resource.setrlimit(kind, (bound, bound))
