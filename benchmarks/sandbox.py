"""Milliseconds per call of the sandbox, in every boundary that this machine offers.

    python benchmarks/sandbox.py --json benchmarks/results/sandbox.json

The call is `print(sum(range(1000)))`, one after the other, after a warm-up. Wall-clock time: what an agent waits for.
Beside them a fresh interpreter without any walls (`python -I -S -c`), which is what most tool environments start.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator

from common import print_table, save_result

from turnwise.envs.sandbox import interpreter
from turnwise.envs.sandbox.errors import SandboxUnavailable
from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.sandbox import Sandbox

CODE = "print(sum(range(1000)))"
EXPECTED = "499500\n"
COLUMNS = ("way", "start_ms", "p50_ms", "p95_ms", "fastest_ms", "calls", "goal_p50_ms")
GOAL_MS = 5.0
WARM_UP = 20


def ways() -> Iterator[tuple[str, Sandbox, bool]]:
    """(name, sandbox, in one session)."""
    for tier in ("bwrap", "landlock", "monty"):
        yield tier, Sandbox(tier=tier), False
        yield f"{tier}, one session", Sandbox(tier=tier), True
    for tier in ("bwrap", "landlock"):
        yield f"{tier}, with numpy", Sandbox(Limits(memory_mb=1024), tier, packages=("numpy",)), False


def measure(call: Callable[[], str], calls: int) -> dict[str, float]:
    """Times of single calls in ms."""
    times = []
    for number in range(WARM_UP + calls):
        begin = time.perf_counter()
        printed = call()
        if number >= WARM_UP:
            times.append(1e3 * (time.perf_counter() - begin))
        if printed != EXPECTED:
            raise RuntimeError(f"a call printed {printed!r}")
    times.sort()
    return {
        "p50_ms": round(statistics.median(times), 3),
        "p95_ms": round(times[int(0.95 * len(times))], 3),
        "fastest_ms": round(times[0], 3),
        "calls": calls,
    }


def sandboxed(sandbox: Sandbox, in_session: bool, calls: int) -> dict[str, float]:
    """Start it, then measure."""
    with sandbox:
        begin = time.perf_counter()
        sandbox.run("0")
        start_ms = round(1e3 * (time.perf_counter() - begin), 1)
        session = sandbox.start_session() if in_session else None
        return {"start_ms": start_ms, **measure(lambda: sandbox.run(CODE, session=session).stdout, calls)}


def fresh_interpreter() -> str:
    """No walls, no zygote."""
    command = [interpreter.binary(), "-I", "-S", "-c", CODE]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def scheduler() -> str:
    """How this process is scheduled: on a busy machine `chrt -f 10` shows what a quiet one would."""
    return "first in, first out (chrt -f)" if os.sched_getscheduler(0) == os.SCHED_FIFO else "ordinary"


def main() -> None:
    """Measure, print the table, and write it down where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", help="file for the result")
    parser.add_argument("--calls", type=int, default=1000)
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    for way, sandbox, in_session in ways():
        try:
            row: dict[str, object] = {"way": way, **sandboxed(sandbox, in_session, arguments.calls)}
        except SandboxUnavailable as error:
            row = {"way": way, "unavailable": str(error)}
        if way in ("bwrap", "landlock"):
            row["goal_p50_ms"] = GOAL_MS
        rows.append(row)
    rows.append({"way": "python -I -S, no walls", **measure(fresh_interpreter, max(10, arguments.calls // 10))})
    print_table(rows, COLUMNS)
    if arguments.json:
        save_result(
            arguments.json,
            rows,
            packages=("pydantic-monty", "numpy"),
            code=CODE,
            time="wall clock",
            scheduler=scheduler(),
        )


if __name__ == "__main__":
    main()
