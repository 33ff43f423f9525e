"""One locked process: it takes its request from a socket, runs the code, writes back what came of it."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import random
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from turnwise.envs.sandbox.guest import execute, folder, frames, landlock, privileges, rlimits, seccomp

NULL, CONTROL = 3, 3
"""Descriptor 3 is /dev/null in the zygote and the socket to the host in a child."""


@dataclass(frozen=True, slots=True)
class Walls:
    """What the zygote has ready for every child."""

    readable: tuple[int, ...]
    """Descriptors of what may be read, for Landlock."""
    devices: tuple[int, ...]
    """Descriptors of what may be written although it is not in the folder: /dev/null."""
    program: bytes
    """The system call filter."""
    kept: tuple[int, ...]
    """Descriptors that Python's own modules are found through, where dropping root closed the usual way."""


@dataclass(frozen=True, slots=True)
class Place:
    """What one child is given."""

    folder: str
    control: int
    output: int
    limits: Mapping[str, Any]
    session: bool


def live(walls: Walls, place: Place, parent: int) -> NoReturn:
    """Lock this freshly forked process, serve, and end. Never returns."""
    status = 70
    try:
        _lock(walls, place, parent)
        _prepare(place.folder)
        _serve(place)
        status = 0
    finally:
        os._exit(status)


def _lock(walls: Walls, place: Place, parent: int) -> None:
    privileges.die_with(parent)
    os.chdir(place.folder)
    own = os.open(".", os.O_PATH | os.O_CLOEXEC)
    landlock.restrict(walls.readable, (own, *walls.devices))
    for source, target in ((NULL, 0), (place.output, 1), (place.output, 2), (place.control, CONTROL)):
        os.dup2(source, target)
    _close_from(CONTROL + 1, walls.kept)
    rlimits.apply(place.limits, session=place.session)
    seccomp.load(walls.program)


def _close_from(first: int, kept: Iterable[int]) -> None:
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, 1 << 20)


def _prepare(working: str) -> None:
    """The same start for every piece of code: no arguments, seeded generators, modules of the folder first."""
    sys.argv = [""]
    sys.path.insert(0, working)
    sys.stdin = io.StringIO()
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    random.seed(0)  # in each child: the module draws a new seed after a fork


def _stream(descriptor: int) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    buffered = io.BufferedWriter(raw, 8192)
    return io.TextIOWrapper(buffered, "utf-8", errors="backslashreplace", line_buffering=True)


def _serve(place: Place) -> None:
    namespace = execute.main_module()
    request, call = frames.receive(CONTROL), 1
    while request is not None:
        frames.send(CONTROL, _answer(request, namespace, place, call))
        request, call = (frames.receive(CONTROL), call + 1) if place.session else (None, call)


def _answer(request: dict[str, Any], namespace: dict[str, Any], place: Place, call: int) -> dict[str, Any]:
    most = place.limits["output_bytes"]
    if request["files"]:
        folder.write_files(request["files"], place.folder)
        importlib.invalidate_caches()
    before = folder.snapshot(place.folder) if request["collect"] else {}
    streams = sys.stdout, sys.stderr
    outcome = execute.run(request["code"], namespace, folder=place.folder, most=most, call=call)
    for stream in {sys.stdout, sys.stderr, *streams}:
        with contextlib.suppress(Exception):
            stream.flush()
    sys.stdout, sys.stderr = streams
    files = folder.changed_texts(before, place.limits["file_bytes"], place.folder) if request["collect"] else {}
    return {**outcome, "files": files}
