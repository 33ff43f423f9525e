"""One sandbox per boundary for the whole run: starting one costs a tenth of a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from turnwise.envs.sandbox.errors import SandboxUnavailable
from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.sandbox import Sandbox

LIMITS = Limits(wall_s=20.0, cpu_s=10.0, memory_mb=256, output_bytes=2_000, flood_bytes=200_000, file_bytes=100_000)


def tiers() -> list[str]:
    """`landlock`, and `bwrap` where it starts on this machine."""
    try:
        with Sandbox(tier="bwrap") as sandbox:
            sandbox.boundary()
    except SandboxUnavailable:
        return ["landlock"]
    return ["bwrap", "landlock"]


@pytest.fixture(scope="session", params=tiers())
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(LIMITS, request.param) as made:
        yield made


@pytest.fixture(scope="session")
def plain() -> Iterator[Sandbox]:
    """Without bubblewrap: for what has nothing to do with it."""
    with Sandbox(LIMITS, "landlock") as made:
        yield made


@pytest.fixture(scope="session")
def children() -> Callable[[Sandbox], list[int]]:
    """The processes that a sandbox without bubblewrap has forked now."""

    def look(sandbox: Sandbox) -> list[int]:
        pid = sandbox._zygote()._started.process.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    return look


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Wait for something that happens soon; fail after half a minute."""

    def wait(happened: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not happened():
            assert time.monotonic() < end, "it never happened"
            time.sleep(0.01)

    return wait
