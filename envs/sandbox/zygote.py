"""The host's handle of one zygote: start it in the best boundary, have it fork, notice its end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import weakref
from collections.abc import Callable, Sequence
from dataclasses import asdict

from turnwise.envs.sandbox.boundary import Boundary, Tier
from turnwise.envs.sandbox.call import Call, ZygoteDied
from turnwise.envs.sandbox.errors import SandboxUnavailable
from turnwise.envs.sandbox.launch import Started, start_in_bubblewrap, start_plain
from turnwise.envs.sandbox.limits import Limits

ENDS_WITHIN_S = 5.0
NEEDED = (
    "code of a model is only run behind walls, and none can be had here: {reasons}. "
    "Needed: Linux 5.13 or newer on x86_64 or aarch64 with Landlock switched on (`lsm=...,landlock` on the kernel's "
    "command line) and seccomp, in a container that allows both. "
    'tier="monty" runs a part of Python without any of that (pip install "turnwise[monty]")'
)


class Zygote:
    """A running zygote. Raises: SandboxUnavailable where no boundary of that tier can be had."""

    def __init__(self, tier: Tier, packages: Sequence[str], limits: Limits) -> None:
        self.limits = limits
        self._started, self.boundary = _start(tier, packages, limits)
        self._orders = [json.dumps({"limits": asdict(limits), "session": one}).encode("ascii") for one in (False, True)]
        self._end = weakref.finalize(self, _end, self._started)

    def fork(self, *, session: bool) -> Call:
        """A fresh locked child. Raises: ZygoteDied."""
        control, child_control = socket.socketpair()
        report, child_report = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output, child_output = os.pipe()
        passed = [child_control.fileno(), child_output, child_report.fileno()]
        call = Call(control, output, report, self.limits)
        try:
            socket.send_fds(self._started.socket, [self._orders[session]], passed, socket.MSG_NOSIGNAL)
        except OSError:
            call.close()
            raise ZygoteDied from None
        finally:
            child_control.close()
            child_report.close()
            os.close(child_output)
        return call

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._started.process.poll() is None

    def close(self) -> None:
        """End it and all its children, and remove their folders. Idempotent; happens at exit by itself."""
        self._end()

    def disown(self) -> None:
        """In a forked copy of this process: let go of a zygote that belongs to the parent."""
        self._end.detach()
        self._started.socket.close()


def _end(started: Started) -> None:
    with contextlib.suppress(OSError):
        started.socket.shutdown(socket.SHUT_RDWR)  # a forked copy of this process may still hold the socket
    started.socket.close()
    try:
        started.process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        started.process.kill()
        started.process.wait()
    if started.folder is not None:
        shutil.rmtree(started.folder, ignore_errors=True)


def _start(tier: Tier, packages: Sequence[str], limits: Limits) -> tuple[Started, Boundary]:
    """Try the boundaries of the tier, the stronger first."""
    starts: dict[str, Callable[[], Started]] = {
        "bwrap": lambda: start_in_bubblewrap(packages, 4 * limits.folder_bytes),
        "landlock": lambda: start_plain(packages),
    }
    reasons: dict[str, str] = {}
    for name in ("bwrap", "landlock") if tier == "auto" else (tier,):
        try:
            started = starts[name]()
        except SandboxUnavailable as error:
            reasons[name] = str(error)
            continue
        return started, Boundary(
            tier=name,
            landlock_abi=started.hello["landlock"],
            seccomp=True,
            namespaces=name == "bwrap",
            uid=started.hello["uid"],
            root_dropped=os.geteuid() == 0,
            without_bwrap=reasons.get("bwrap"),
        )
    told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    raise SandboxUnavailable(NEEDED.format(reasons=told))
