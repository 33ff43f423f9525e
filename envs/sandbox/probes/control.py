"""The controls: each probe's code without walls, as the child of a dummy parent, to show that it would succeed."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence

from turnwise.envs.sandbox import interpreter
from turnwise.envs.sandbox.probes.record import OPEN, Probe
from turnwise.envs.sandbox.probes.world import World

WITHIN_S = 20
PARENT = """
import json, os, sys
os.pipe()  # descriptors for the probe that looks for some
codes, sessions = json.load(sys.stdin)
if os.fork() == 0:
    sys.stdin = open(os.devnull)
    namespace, start = {"__name__": "__main__"}, os.getcwd()
    os.mkdir("0")
    os.chdir("0")
    for number, code in enumerate(codes, 1):
        if sessions:
            os.mkdir(f"{start}/{number}")
            os.chdir(f"{start}/{number}")
        exec(compile(code, "<probe>", "exec"), namespace)
    sys.stdout.flush()
    os._exit(0)
os.wait()
"""
"""Forks the child that runs the probe and waits: the probes against a parent hit this process."""


def outcome(probe: Probe, world: World) -> tuple[bool, str]:
    """Whether the probe succeeds without walls, and the last line that it printed or complained with."""
    codes = fill(probe.codes, world)
    with tempfile.TemporaryDirectory(prefix="turnwise-control-") as folder:
        done = subprocess.Popen(
            [interpreter.binary(), "-I", "-S", "-c", PARENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,
        )
        try:
            printed = done.communicate(json.dumps([codes, probe.sessions]).encode(), timeout=WITHIN_S)[0]
        except subprocess.TimeoutExpired:
            done.kill()
            printed = done.communicate()[0]
    world.refresh()
    lines = printed[-4000:].decode("utf-8", "replace").strip().splitlines()
    return OPEN in lines, lines[-1] if lines else ""


def fill(codes: Sequence[str], world: World) -> list[str]:
    """The pieces with the targets in their places."""
    targets = world.targets()
    return [code.format(**targets) for code in codes]
