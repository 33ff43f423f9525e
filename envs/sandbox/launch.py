"""Starting the zygote: plain, or inside bubblewrap."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from turnwise.envs.sandbox import bubblewrap, interpreter
from turnwise.envs.sandbox.errors import SandboxUnavailable

HERE = Path(__file__).resolve().parent
BOOT = """
import json, sys, types
settings = json.loads(sys.argv[1])
for name, folder in settings["packages"].items():
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
sys.path += settings["module_path"]  # at the end: the zygote takes them off again
from turnwise.envs.sandbox.guest.zygote import main
main(settings)
"""
"""Gives the zygote its own modules without what `turnwise` and `turnwise.envs` import."""
NOBODY = 65534
ENVIRONMENT = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""All that the zygote's environment holds, and it clears it before it forks."""
FLAGS = ("-s", "-S", "-P", "-B", "-X", "utf8")
MEMORY_FOLDERS = ("/dev/shm", "/tmp")
READY_WITHIN_S = 20.0

_starters: dict[int, ThreadPoolExecutor] = {}


@dataclass(slots=True)
class Started:
    """A zygote that said it is ready."""

    process: subprocess.Popen[bytes]
    socket: socket.socket
    folder: str | None
    """Folder on this machine that holds the working folders; None where they are inside bubblewrap alone."""
    hello: Mapping[str, Any]


def start_plain(packages: Sequence[str]) -> Started:
    """A zygote without bubblewrap. Raises: SandboxUnavailable with what it said."""
    folder = _calls_folder()
    try:
        return _start([interpreter.binary()], folder, packages, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def start_in_bubblewrap(packages: Sequence[str], size: int) -> Started:
    """A zygote in namespaces of its own. `size`: bytes of all working folders together.

    Raises: SandboxUnavailable where there is no bwrap or it does not start.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxUnavailable("bwrap is not on the PATH (install the package bubblewrap)")
    command = bubblewrap.command_line(program, packages, size, NOBODY, ENVIRONMENT)
    return _start([*command, interpreter.binary()], bubblewrap.CALLS, packages, None)


def _start(command: list[str], calls: str, packages: Sequence[str], folder: str | None) -> Started:
    settings = {
        "packages": {"turnwise": "", "turnwise.envs": "", "turnwise.envs.sandbox": str(HERE)},
        "module_path": interpreter.module_path(packages),
        "preload": interpreter.preload(packages),
        "readable": interpreter.readable(packages),
        "folder": calls,
        "user": NOBODY,
    }
    command = [*command, *FLAGS, "-c", BOOT, json.dumps(settings)]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = None
    with tempfile.TemporaryFile() as complaints:
        try:
            with theirs:
                process = _in_lasting_thread(lambda: _popen(command, theirs, complaints))
            return Started(process, ours, folder, _ready(ours, process, complaints))
        except BaseException:
            ours.close()
            if process is not None:
                process.kill()
                process.wait()
            raise


def _popen(command: list[str], stdin: socket.socket, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=stdin.fileno(),
            stdout=stderr,
            stderr=stderr,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,  # Ctrl-C at a terminal is for the host
        )
    except OSError as error:
        raise SandboxUnavailable(f"{command[0]} does not start: {error}") from error


def _ready(ours: socket.socket, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> dict[str, Any]:
    ours.settimeout(READY_WITHIN_S)
    try:
        hello = ours.recv(4096)
    except TimeoutError:
        raise SandboxUnavailable(f"the sandbox was not ready after {READY_WITHIN_S:.0f} s") from None
    if hello:
        ours.settimeout(None)
        return dict(json.loads(hello))
    process.wait(READY_WITHIN_S)
    complaints.seek(0)
    said = complaints.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
    raise SandboxUnavailable(said[-1] if said else f"it ended with exit code {process.returncode}")


def _in_lasting_thread(act: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Do it in a thread that lives as long as this process: "die with the parent" means the thread that forked."""
    starter = _starters.get(os.getpid())
    if starter is None:
        starter = _starters[os.getpid()] = ThreadPoolExecutor(1, thread_name_prefix="turnwise-sandbox")
    return starter.submit(act).result()


def _calls_folder() -> str:
    """A fresh folder for the working folders, in memory where the machine offers that, that a dropped root can use."""
    for parent in (*MEMORY_FOLDERS, tempfile.gettempdir()):
        if os.path.isdir(parent) and os.access(parent, os.W_OK | os.X_OK) and os.stat(parent).st_mode & stat.S_IXOTH:
            folder = tempfile.mkdtemp(prefix="turnwise-sandbox-", dir=parent)
            if os.geteuid() == 0:
                os.chown(folder, NOBODY, NOBODY)
            return folder
    raise SandboxUnavailable(f"no folder for working files: none of {', '.join(MEMORY_FOLDERS)} can be written")
