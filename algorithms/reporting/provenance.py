"""Where a result file comes from: the commit, the machine, and the versions of packages."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_GIT_S = 30.0


def commit() -> str | None:
    """The checked-out commit, with `+changes` where the working tree differs from it; None outside a repository."""
    here = Path(__file__).resolve().parent
    try:
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True, timeout=_GIT_S
        )
        dirty = subprocess.run(
            ["git", "diff", "--quiet", "HEAD"], cwd=here, capture_output=True, timeout=_GIT_S
        ).returncode
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+changes" if dirty else "")


def machine(packages: Sequence[str]) -> dict[str, Any]:
    """Processor, cores, load when it is asked, Python, and the versions of the packages that matter."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "load_1_min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in packages},
    }


def cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
