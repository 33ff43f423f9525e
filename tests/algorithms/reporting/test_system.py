"""Figures of the machine: what they are compared with psutil, and when they are read."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
import torch

from turnwise.algorithms.reporting.system import GIB, System, gpu_figures


def test_figures_are_those_of_this_process_and_this_machine(tmp_path: Path) -> None:
    found = System(tmp_path).read()
    assert found["rss_gib"] == pytest.approx(psutil.Process().memory_info().rss / GIB, rel=0.2)
    assert found["threads"] >= 1
    assert 0 < found["memory_free_gib"] <= psutil.virtual_memory().total / GIB
    assert found["disk_free_gib"] == pytest.approx(psutil.disk_usage(str(tmp_path)).free / GIB, rel=0.1)
    assert 0 <= found["cpu_cores"] <= (os.cpu_count() or 1) + 1
    assert found["load_1min"] >= 0
    assert not [name for name in found if name.startswith("gpu")] or torch.cuda.is_initialized()


def test_they_are_read_now_and_then(tmp_path: Path) -> None:
    now = [100.0]
    system = System(tmp_path, every_s=5.0, clock=lambda: now[0])
    read = []
    for now[0] in (100.0, 101.0, 104.9, 105.0, 109.9, 111.0):
        read.append(bool(system.read()))
    assert read == [True, False, False, True, False, True]


def test_a_gpu_tells_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Exception):
        """As NVML's errors, which are no RuntimeError."""

    def silent() -> int:
        raise Silent

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (30 * GIB, 80 * GIB))
    for name, gib in (("memory_allocated", 2), ("memory_reserved", 3), ("max_memory_allocated", 4)):
        monkeypatch.setattr(torch.cuda, name, lambda gib=gib: gib * GIB)
    monkeypatch.setattr(torch.cuda, "utilization", lambda: 40)
    found = gpu_figures()
    assert found == {
        "gpu_tensors_gib": 2.0,
        "gpu_reserved_gib": 3.0,
        "gpu_most_gib": 4.0,
        "gpu_free_gib": 30.0,
        "gpu_total_gib": 80.0,
        "gpu_busy_share": 0.4,
    }
    monkeypatch.setattr(torch.cuda, "utilization", silent)
    assert gpu_figures() == {name: value for name, value in found.items() if name != "gpu_busy_share"}
