"""The probe suite: everything held, everything would have succeeded without walls."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from turnwise.envs.sandbox.boundary import Tier
from turnwise.envs.sandbox.errors import SandboxUnavailable
from turnwise.envs.sandbox.probes.other_user import as_nobody
from turnwise.envs.sandbox.probes.suite import PROBES
from turnwise.envs.sandbox.probes.table import Row, broken, markdown, rows_of_all_users
from turnwise.envs.sandbox.sandbox import Sandbox

MAY_BE_CLOSED = {
    # switched off by the administrator on some machines, walls or not
    *(
        "attach to the parent (ptrace)",
        "read the parent's memory (process_vm_readv)",
        "take a descriptor of the parent",
    ),
    *("unshare namespaces", "mount", "chroot", "enter a namespace"),
    *("io_uring", "userfaultfd", "perf_event_open", "bpf", "keyctl", "add_key", "message queues"),
    *("the parent's pipe through /proc", "the parent's memory", "set an attribute", "through a hard link"),
    *("create a file in /dev/shm", "pin the parent to a core", "open a raw socket", "make a device", "setuid 0"),
}


def tiers() -> tuple[Tier, ...]:
    try:
        with Sandbox(tier="bwrap") as sandbox:
            sandbox.boundary()
    except SandboxUnavailable:
        return ("landlock",)
    return ("bwrap", "landlock")


@pytest.fixture(scope="module")
def found() -> list[Row]:
    """As this user, and where this user is root as a normal one too."""
    return rows_of_all_users(tiers())


def test_there_are_enough_and_each_has_a_name() -> None:
    assert len(PROBES) >= 38
    assert len({probe.name for probe in PROBES}) == len(PROBES)


def test_every_wall_held(found: list[Row]) -> None:
    assert broken(found, tiers()) == []
    assert {row["user"] for row in found} == ({"root", "user"} if os.geteuid() == 0 else {"user"})
    assert len(found) == len(PROBES) * (2 if os.geteuid() == 0 else 1)


def test_every_control_succeeds_without_walls(found: list[Row]) -> None:
    closed = {
        (row["name"], row["user"]): row["control_told"]
        for row in found
        if not row["control"] and not (row["root_only"] and row["user"] == "user")
    }
    assert {name: told for name, told in closed.items() if name[0] not in MAY_BE_CLOSED} == {}
    assert sum(row["control"] for row in found) >= 0.75 * len(found)


def test_the_table_has_a_line_for_each_probe(found: list[Row]) -> None:
    lines = markdown(found, tiers()).splitlines()
    assert len(lines) == 2 + len(PROBES)
    assert not any("OPEN" in line for line in lines)


WITHOUT_BWRAP = """
import json, os
from turnwise.envs.sandbox.sandbox import Sandbox
with Sandbox() as sandbox:
    session = sandbox.start_session()
    print(json.dumps([sandbox.boundary().tier, os.getuid() == 0, sandbox.run("6 * 7", session=session).value]))
"""


def test_auto_as_another_user_in_a_machine_without_bubblewrap() -> None:
    command = [sys.executable, "-c", WITHOUT_BWRAP]
    if os.geteuid() == 0:
        command = as_nobody(["env", "PATH=/nonexistent", *command])
    environment = {**os.environ, **({} if os.geteuid() == 0 else {"PATH": "/nonexistent"})}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=environment)
    assert done.stdout == '["landlock", false, "42"]\n', done.stderr
