"""How much memory a device has for this process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True, slots=True)
class Room:
    """Where a process computes, and how much may lie there."""

    kind: str
    """cpu or cuda."""
    size: int
    """Bytes of the whole device; on a CPU the machine's, or what its container may use."""
    free: int
    """Bytes that this process may count on."""


def room_of(device: torch.device) -> Room:
    """On CUDA what is free now; on a CPU this process's part of the machine, where torchrun started several on it."""
    if device.type == "cuda":
        free, size = torch.cuda.mem_get_info(device)
        return Room("cuda", size, free)
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in CGROUPS:
        limit = path.read_text().strip() if path.exists() else "max"
        if limit.isdigit():
            size = min(size, int(limit))
    return Room("cpu", size, size // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
