"""Tests of a repository, run in the sandbox: one call per file of tests."""

from __future__ import annotations

import ast
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.result import Result
from turnwise.envs.sandbox.shared import shared_sandbox

LIMITS = Limits(wall_s=20.0, cpu_s=2.0, memory_mb=256, output_bytes=200_000)
"""Of one file of tests; the processor's time is what ends a loop, the clock is for machines under load."""
TESTS = "tests"
UNFINISHED = "the tests did not end"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one test."""

    path: str
    test: str
    """`Class.method`"""
    passed: bool
    message: str = ""
    """Why it failed, as the code under test and the test told it."""

    @property
    def name(self) -> str:
        """For example `tests/test_queue.py: QueueTest.test_empty`."""
        return f"{self.path}: {self.test}"


def run_tests(
    files: Mapping[str, str], tests: Mapping[str, str], support: Mapping[str, str] | None = None, *, strict: bool
) -> tuple[Outcome, ...]:
    """The outcome of every test that the files of tests state, in their order.

    A test counts as passed only where it was seen to run: what ends the process early, by whatever way, fails all tests
    of its file. files: the repository; support: files that tests may import; strict: screen the sources of the
    repository and have equality to plain data checked by type, see `guest`. Raises SandboxUnavailable.
    """
    folder = {**files, **(support or {})}
    own = sorted({path.split("/")[0].removesuffix(".py") for path in files} - {TESTS}) if strict else None
    return tuple(
        outcome
        for path, source in sorted(tests.items())
        if stated_tests(source)
        for outcome in _run_file(folder, path, source, own)
    )


@lru_cache(maxsize=256)
def stated_tests(source: str) -> tuple[str, ...]:
    """`Class.method` of each test that the text of a file states. Raises SyntaxError, ValueError."""
    return tuple(
        f"{kind.name}.{part.name}"
        for kind in ast.parse(source).body
        if isinstance(kind, ast.ClassDef)
        for part in kind.body
        if isinstance(part, ast.FunctionDef) and part.name.startswith("test")
    )


def _run_file(folder: Mapping[str, str], path: str, source: str, own: list[str] | None) -> Iterable[Outcome]:
    nonce = secrets.token_hex(16)  # of no weight for an episode: a result without it is no result
    code = f"{_guest()}\n\nmain({nonce!r}, {path!r}, {source!r}, {own!r})\n"
    rows = _rows(shared_sandbox(LIMITS).run(code, files=folder), nonce)
    common = next((message for state, _, message in rows if state in ("refused", "broken")), None)
    states = {test: (state, message) for state, test, message in rows}
    for test in stated_tests(source):
        state, message = states.pop(test, ("", common or "the test did not run"))
        yield Outcome(path, test, state == "passed", message)
    for test, (state, message) in states.items():
        if state == "failed":
            yield Outcome(path, test, False, message)


def _rows(result: Result, nonce: str) -> list[tuple[str, str, str]]:
    """(state, test, message) of each line of the report. What cannot be read as one is left out."""
    if result.status != "ok" or result.value is None or not result.value.startswith(nonce + "\n"):
        told = (result.error or "").strip().rpartition("\n")[2][:300]
        return [("broken", "-", f"{UNFINISHED}: {told or result.status}")]
    rows = []
    for line in result.value.splitlines()[1:]:
        state, test, message = (*line.split(" "), "", "")[:3]
        try:
            rows.append((state, test, bytes.fromhex(message).decode("utf-8", "replace")))
        except ValueError:
            continue
    return rows


@lru_cache(maxsize=1)
def _guest() -> str:
    return (Path(__file__).parent / "guest.py").read_text(encoding="utf-8")
