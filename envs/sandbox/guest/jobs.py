"""The zygote's children: started, watched, stopped between the calls of a session, ended, cleared away."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from turnwise.envs.sandbox.guest import folder

GO, STOP = b"g", b"s"
"""What the host says over the report socket: a call begins, a call of the session is done. Closing it ends the job."""


@dataclass(slots=True)
class Job:
    """One child."""

    pid: int
    process: int
    """Descriptor of the process (pidfd), readable when it has ended."""
    report: int
    """Socket to the host: commands come in, the end is told."""
    folder: str
    limits: Mapping[str, Any]
    cpu_before_s: float = 0.0
    """Processor time spent before this call."""
    running: bool = True

    def obey(self, command: bytes) -> None:
        """Start the clock of a call, or hold the process until the next one. It can refuse neither signal."""
        if command == GO:
            self.cpu_before_s, self.running = cpu_seconds(self.pid), True
            os.kill(self.pid, signal.SIGCONT)
        elif command == STOP:
            os.kill(self.pid, signal.SIGSTOP)
            self.running = False

    def trespass(self) -> str | None:
        """The limit that the child is over now: `cpu`, `folder` or None."""
        if not self.running:
            return None
        if cpu_seconds(self.pid) - self.cpu_before_s > self.limits["cpu_s"]:
            return "cpu"
        over = folder.exceeds(self.folder, self.limits["folder_bytes"], self.limits["folder_files"])
        return "folder" if over else None

    def end(self, why: str | None) -> None:
        """Kill it if it lives, tell the host, leave nothing behind. The last thing done to a job."""
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        told = {"why": why, "exit": os.waitstatus_to_exitcode(status)}
        with contextlib.suppress(OSError):  # the host has what it wanted and is no longer listening
            os.write(self.report, json.dumps(told).encode("ascii"))
        os.close(self.report)
        os.close(self.process)
        folder.remove(self.folder)


def cpu_seconds(pid: int) -> float:
    """Processor time that the process has taken so far. Source: clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | 2)
