"""A `turnwise train` in processes of its own, watched from outside: how far it is, who belongs to it, how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from turnwise.algorithms.reporting.runlog import read_metrics

PATIENCE_S = 300.0
MARK = "TURNWISE_CHAOS"
"""Environment variable by which the processes of one training know each other, whoever started them."""


class Training:
    """One command, its output in a file beside the run folder."""

    def __init__(self, run: Path, words: Sequence[str], *, launcher: Sequence[str] = ()) -> None:
        """Goes on with the run where its folder is there. launcher: in place of this Python, such as torchrun's."""
        self.run, self.mark = run, uuid.uuid4().hex
        self.output = run.with_name(f"{run.name}-{self.mark[:6]}.log")
        again = (run / "config.yaml").exists()
        asked = ["--resume", str(run)] if again else [*words, f"run_dir={run}"]
        command = [*(launcher or (sys.executable,)), "-m", "turnwise", "train", *asked]
        environment = os.environ | {MARK: self.mark, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
        environment["SPT_NOENV"] = "1"  # vLLM's process writes its title over its command line, not over the mark too
        with self.output.open("w") as file:
            self.process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )

    def reach(self, step: int) -> None:
        """Wait until a step is written down. Raises RuntimeError where that does not happen."""
        await_that(f"step {step} of {self.run}", lambda: self.step >= step or self.process.poll() is not None)
        if self.step < step:
            raise RuntimeError(f"{self.run} ended before step {step}: {self.said()[-2000:]}")

    @property
    def step(self) -> int:
        """The last one that is written down; -1 before the first."""
        records = read_metrics(self.run) if self.run.is_dir() else []
        return int(records[-1]["step"]) if records else -1

    def end(self) -> int:
        """Wait for it; returns its exit code. What is left of its processes is killed."""
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            for left in self.others(""):
                left.send_signal(signal.SIGKILL)

    def said(self) -> str:
        """All that it has printed."""
        return self.output.read_text(errors="replace")

    def others(self, word: str) -> list[Any]:
        """Processes that belong to it, by age, with this word in their command line."""
        import psutil

        found = []
        for process in psutil.process_iter():
            try:
                mine = process.environ().get(MARK) == self.mark and process.pid != self.process.pid
                if mine and word in " ".join(process.cmdline()):
                    found.append((process.create_time(), process.pid, process))
            except psutil.Error:  # it has ended, or is not ours to look at
                continue
        return [process for _, _, process in sorted(found)]

    def kill_one(self, word: str) -> int:
        """SIGKILL for the oldest of these processes, as soon as there is one; returns its number."""
        victims = await_that(f"a process {word!r} of {self.run}", lambda: self.others(word))
        victims[0].send_signal(signal.SIGKILL)
        return int(victims[0].pid)


def await_that(what: str, ready: Callable[[], Any]) -> Any:
    """What `ready` returns as soon as that is true. Raises TimeoutError."""
    until = time.monotonic() + PATIENCE_S
    while not (found := ready()):
        if time.monotonic() > until:
            raise TimeoutError(f"waited {PATIENCE_S:g} s for {what}")
        time.sleep(0.02)
    return found
