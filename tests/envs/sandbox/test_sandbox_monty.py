"""The tier that must be asked for."""

from __future__ import annotations

import sys

import pytest

from turnwise.envs.sandbox.errors import SandboxUnavailable
from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.sandbox import Sandbox


@pytest.fixture(scope="module")
def monty():
    with Sandbox(Limits(wall_s=1.0, memory_mb=64, output_bytes=100, flood_bytes=5000), "monty") as made:
        yield made


@pytest.mark.parametrize(
    ("code", "status", "stdout", "value", "told"),
    [
        ("print('a')\n6 * 7", "ok", "a\n", "42", ""),
        ("import math\nmath.comb(10, 3)", "ok", "", "120", ""),
        ("1 / 0", "error", "", None, "ZeroDivisionError"),
        ("x = (", "error", "", None, "SyntaxError"),
        ("while True: pass", "timeout", "", None, "time limit"),
        ("x = []\nwhile True: x.append('a' * 100000)", "memory", "", None, "memory limit"),
        ("import time\ntime.sleep(3600)", "ok", "", None, ""),
        ("import socket", "error", "", None, "ModuleNotFoundError"),
        ("open('/etc/passwd').read()", "error", "", None, "PermissionError"),
        ("import subprocess", "error", "", None, "ModuleNotFoundError"),
        ("def f(n): return f(n + 1)\nf(0)", "error", "", None, "RecursionError"),
        ("2 ** 100000", "ok", "", "(int: Exceeds the limit", ""),
        ("raise TimeoutError('x')", "error", "", None, "TimeoutError: x"),
    ],
)
def test_calls(monty: Sandbox, code: str, status: str, stdout: str, value: str | None, told: str) -> None:
    result = monty.run(code)
    assert (result.status, result.stdout, result.tier) == (status, stdout, "monty"), result
    assert told in (result.error or "")
    assert (result.value or "").startswith(value or "")


def test_output_is_clipped_and_floods_are_stopped(monty: Sandbox) -> None:
    result = monty.run("print('ab' * 200)")
    assert (result.stdout, result.truncated_output) == ("ab" * 50, True)
    assert monty.run("while True: print('A' * 1000)").status == "output"


def test_sessions(monty: Sandbox) -> None:
    session = monty.start_session()
    assert monty.run("x = 4", session=session).ok
    assert monty.run("x * 2", session=session).value == "8"
    assert monty.run("while True: pass", session=session).status == "timeout"
    assert monty.run("x", session=session).status == "lost"
    monty.end_session(session)


def test_same_code_same_output(monty: Sandbox) -> None:
    assert monty.run("import random\nrandom.random()").value == monty.run("import random\nrandom.random()").value


def test_boundary_and_refusals(monty: Sandbox) -> None:
    assert monty.boundary().to_dict()["tier"] == "monty"
    with pytest.raises(ValueError, match="monty has no files"):
        Sandbox(tier="monty", files={"a": ""})
    with pytest.raises(ValueError, match="monty has no files"):
        monty.run("1", files={"a": ""})


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_monty", None)
    with pytest.raises(SandboxUnavailable, match=r'pip install "turnwise\[monty\]"'):
        Sandbox(tier="monty").run("1")
