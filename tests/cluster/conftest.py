"""Two machines on one: two network namespaces, joined by a cable, with a Ray node in each. They share no loopback."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

DEADLINE_S = 120.0
RAY = Path(sys.executable).with_name("ray")


def ip(*words: str) -> str:
    """Runs `ip`; raises CalledProcessError with what it said."""
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=DEADLINE_S).stdout


class Hosts:
    """Hosts "a" (the cluster's head, with a core more) and "b"."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._spaces = {name: f"tw{name}{os.getpid()}" for name in "ab"}
        self._cables = {name: f"tw{name}{os.getpid() % 10**8}v"[:15] for name in "ab"}
        third = os.getpid() % 250 + 1
        self.addresses = {"a": f"10.77.{third}.1", "b": f"10.77.{third}.2"}
        self.head = f"{self.addresses['a']}:6399"
        # once ray.init has made ~/.ray/auth_token, a head that finds it asks for it, and nobody else sends it: tell all
        self.environment = os.environ | {
            "HOME": str(folder),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "OMP_NUM_THREADS": "1",
        }

    def build(self) -> None:
        """Both namespaces and the cable. Raises CalledProcessError or FileNotFoundError where that is not allowed."""
        for space in self._spaces.values():
            ip("netns", "add", space)
        ip("link", "add", self._cables["a"], "type", "veth", "peer", "name", self._cables["b"])
        for name, space in self._spaces.items():
            ip("link", "set", self._cables[name], "netns", space)
            ip("-n", space, "addr", "add", f"{self.addresses[name]}/24", "dev", self._cables[name])
            ip("-n", space, "link", "set", "lo", "up")
            ip("-n", space, "link", "set", self._cables[name], "up")

    def start(self, host: str, *words: object, output: Any = subprocess.PIPE) -> subprocess.Popen[str]:
        """A command on a host."""
        return subprocess.Popen(
            ["ip", "netns", "exec", self._spaces[host], *map(str, words)],
            env=self.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def join(self, host: str) -> None:
        """Start Ray's node of a host, and wait until it says that it runs."""
        role = ["--head", "--port=6399", "--num-cpus=2", f"--temp-dir={self.folder}", "--include-dashboard=false"]
        role = role if host == "a" else [f"--address={self.head}", "--num-cpus=1"]
        log = self.folder / f"{host}.log"
        with log.open("w") as file:
            place = f"--node-ip-address={self.addresses[host]}"
            words = [RAY, "start", *role, place, "--object-store-memory=100000000", "--block"]
            node = self.start(host, *words, output=file)
        until = time.monotonic() + DEADLINE_S
        while "Ray runtime started" not in log.read_text():
            assert node.poll() is None, log.read_text()
            assert time.monotonic() < until, f"waited {DEADLINE_S:g} s for Ray on {host}: {log.read_text()}"
            time.sleep(0.1)

    def processes(self, host: str) -> list[int]:
        """Process ids of all that runs on a host."""
        return [int(pid) for pid in ip("netns", "pids", self._spaces[host]).split()]

    def lose(self, host: str) -> None:
        """End all that runs on a host at once, as when its power goes."""
        for pid in self.processes(host):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def remove(self) -> None:
        """Leave nothing behind."""
        for host, space in self._spaces.items():
            with suppress(subprocess.CalledProcessError):
                self.lose(host)
                ip("netns", "del", space)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    folder = Path(tempfile.mkdtemp(prefix="tw-two-"))  # paths of sockets must be short
    found = Hosts(folder)
    try:
        try:
            found.build()
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            why = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error
            pytest.skip(f"two hosts on one machine are two network namespaces, which need root: {why}")
        yield found
    finally:
        found.remove()
        shutil.rmtree(folder, ignore_errors=True)
