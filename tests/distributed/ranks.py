"""Starts a script as every rank of a small world: real processes on this machine that meet over gloo."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

DEADLINE_S = 900.0
HERE = Path(__file__).parent


def start(script: str, size: int, *words: object) -> list[subprocess.Popen[str]]:
    """`python script words...`, a file beside this one, as each of the ranks."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(size), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, str(HERE / script), *map(str, words)],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


def finish(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """(exit code, stdout, stderr) of each. Whoever is still there after the deadline is killed."""
    try:
        said = [process.communicate(timeout=DEADLINE_S) for process in processes]
        return [(process.returncode, *texts) for process, texts in zip(processes, said, strict=True)]
    finally:
        for process in processes:
            process.kill()
            process.wait()
