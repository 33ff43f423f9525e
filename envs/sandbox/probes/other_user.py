"""Running a command as the user nobody, for the half of the probes that a normal user makes."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from turnwise.envs.sandbox.launch import NOBODY

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
set -e
top=$1; shift
hold=$(mktemp -d)
mount --bind "$top" "$hold"
mount -t tmpfs -o mode=755 tmpfs "$top"
while [ "$1" != -- ]; do
    mkdir -p "$top/$1"
    mount --bind "$hold/$1" "$top/$1"
    shift
done
shift
umount -l "$hold"
rmdir "$hold"
exec "$@"
"""
"""In mounts of its own: shows what Python needs of a folder that only root may enter, and nothing else of it."""


def as_nobody(command: list[str]) -> list[str]:
    """The command line that runs `command` as nobody. Raises: RuntimeError where this process cannot do that."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        raise RuntimeError("running as another user needs root and setpriv (package util-linux)")
    dropped = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", *command]
    needed = {os.path.realpath(path) for path in (sys.base_prefix, sys.prefix, str(ROOT))}
    closed = sorted({top for path in needed if (top := _closed_top(path)) is not None})
    for top in closed:
        inside = [os.path.relpath(path, top) for path in sorted(needed) if path.startswith(f"{top}/")]
        dropped = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            SCRIPT,
            "sh",
            top,
            *inside,
            "--",
            *dropped,
        ]
    return dropped


def _closed_top(path: str) -> str | None:
    """The first folder on the way that others may not enter."""
    for parent in [*reversed(Path(path).parents), Path(path)]:
        if not parent.stat().st_mode & 0o001:
            return str(parent)
    return None
