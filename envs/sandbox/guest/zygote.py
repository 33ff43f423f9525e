"""The process that all calls are forked from: it holds Python ready, and no code, file or output of any call.

Requests and results pass it by: the host sends the ends of fresh sockets and pipes along, and the child talks to the
host itself. So a child finds nothing of other calls in the memory that it inherits.
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import platform
import select
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from turnwise.envs.sandbox.guest import child, folder, landlock, privileges, seccomp
from turnwise.envs.sandbox.guest.jobs import Job

WATCH_MS = 50
"""How often running children are looked at for processor time and for the size of their folders."""
DESCRIPTORS = 3
"""Sent along with each order: control socket, output pipe, report socket."""


def main(settings: dict[str, Any]) -> None:
    """Load modules, lock this process, then fork on every order until the host hangs up (then end all children)."""
    for name in settings["preload"]:
        importlib.import_module(name)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    os.environ.clear()
    os.dup2(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC), child.NULL)
    host = socket.socket(fileno=os.dup(0))
    walls = _lock(settings)
    _hide_own_modules()
    gc.collect()
    gc.freeze()
    host.send(json.dumps({"landlock": landlock.version(), "uid": os.getuid(), "pid": os.getpid()}).encode("ascii"))
    _serve(host, walls, settings["folder"])


def _lock(settings: dict[str, Any]) -> child.Walls:
    kept = _reach_modules()
    del sys.path[len(sys.path) - len(settings["module_path"]) :]  # the packages are loaded and know their own folders
    readable = landlock.open_paths(settings["readable"])
    calls = os.open(settings["folder"], os.O_PATH | os.O_CLOEXEC)
    above = landlock.open_paths([os.path.dirname(settings["folder"])])  # so that the folder itself can be removed
    devices = tuple(landlock.open_paths([os.devnull]))
    privileges.drop_root(settings["user"])
    privileges.give_up()
    landlock.restrict(readable, (calls, *devices), above)
    program = seccomp.encode(seccomp.program(platform.machine()))
    return child.Walls(tuple(readable), devices, program, kept)


def _reach_modules() -> tuple[int, ...]:
    """Where root is dropped and others cannot walk to Python's modules (below /root, say), hold their folders open.

    A path through /proc/self/fd needs no permission on what lies above. What may be read there is Landlock's to say.
    """
    kept = []
    if os.geteuid() == 0:
        for index, path in enumerate(sys.path):
            if os.path.isdir(path) and not _walkable(path):
                kept.append(os.open(path, os.O_PATH))
                sys.path[index] = f"/proc/self/fd/{kept[-1]}"
                _move_packages(path, sys.path[index])
    return tuple(kept)


def _move_packages(old: str, new: str) -> None:
    """Loaded packages look for their submodules where they were found."""
    for module in list(sys.modules.values()):
        if getattr(module, "__path__", None):
            module.__path__ = [
                place.replace(old, new, 1) if place.startswith(old) else place for place in module.__path__
            ]


def _walkable(path: str) -> bool:
    """Whether everybody may enter each folder on the way."""
    while path not in ("", "/"):
        if not os.stat(path).st_mode & 0o001:
            return False
        path = os.path.dirname(path)
    return True


def _hide_own_modules() -> None:
    """Code that runs here imports no turnwise: these modules stay in memory under no name."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "turnwise"]:
        del sys.modules[name]
    sys.modules.pop("__main__", None)


def _serve(host: socket.socket, walls: child.Walls, calls: str) -> NoReturn:
    jobs: dict[int, Job] = {}
    """Descriptor -> job, under its report socket and under its process."""
    poll = select.poll()
    poll.register(host, select.POLLIN)
    number = 0
    while True:
        running = any(job.running for job in jobs.values())
        if not running:
            watch_at = time.monotonic() + WATCH_MS / 1000
        events = [descriptor for descriptor, _ in poll.poll(WATCH_MS if running else None)]
        for descriptor in events:
            if descriptor in jobs:
                _attend(jobs[descriptor], descriptor, jobs, poll)
        if host.fileno() in events:  # after the jobs: a new one may be given the descriptors of one that just ended
            order, passed = _order(host)
            if order is None:
                _end_all(jobs, calls)
            number += 1
            _start(order, passed, walls, os.path.join(calls, str(number)), jobs, poll)
        if time.monotonic() >= watch_at:
            _watch(jobs, poll)
            watch_at = time.monotonic() + WATCH_MS / 1000


def _watch(jobs: dict[int, Job], poll: select.poll) -> None:
    for job in {job.pid: job for job in jobs.values()}.values():
        if why := job.trespass():
            _finish(job, why, jobs, poll)


def _order(host: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """The next order and the descriptors that came with it, None where the host is gone."""
    size = array.array("i").itemsize
    data, ancillary, _, _ = host.recvmsg(4096, socket.CMSG_SPACE(DESCRIPTORS * size), socket.MSG_CMSG_CLOEXEC)
    passed = array.array("i")
    for _, _, content in ancillary:
        passed.frombytes(content)
    return (json.loads(data) if data else None), list(passed)


def _start(
    order: dict[str, Any], passed: list[int], walls: child.Walls, place: str, jobs: dict[int, Job], poll: select.poll
) -> None:
    control, output, report = passed
    os.mkdir(place, folder.MODE)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        child.live(walls, child.Place(place, control, output, order["limits"], order["session"]), parent)
    os.close(control)
    os.close(output)
    job = Job(pid, os.pidfd_open(pid), report, place, order["limits"])
    for descriptor in (job.report, job.process):
        jobs[descriptor] = job
        poll.register(descriptor, select.POLLIN)


def _attend(job: Job, descriptor: int, jobs: dict[int, Job], poll: select.poll) -> None:
    command = os.read(job.report, 16) if descriptor == job.report else b""
    if command:
        job.obey(command)
    else:
        _finish(job, None, jobs, poll)


def _finish(job: Job, why: str | None, jobs: dict[int, Job], poll: select.poll) -> None:
    for descriptor in (job.report, job.process):
        poll.unregister(descriptor)
        del jobs[descriptor]
    job.end(why)


def _end_all(jobs: dict[int, Job], calls: str) -> NoReturn:
    for job in {job.pid: job for job in jobs.values()}.values():
        os.kill(job.pid, signal.SIGKILL)
        os.waitpid(job.pid, 0)
    folder.remove(calls)
    os._exit(0)
