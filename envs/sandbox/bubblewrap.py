"""The command line of bubblewrap: which namespaces, and what is to be seen inside."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from turnwise.envs.sandbox import interpreter

CALLS = "/calls"
"""Where the working folders lie inside."""
SHOWN = Path(__file__).resolve().parent
"""The sandbox's own modules, which the zygote is made of."""


def command_line(
    program: str, packages: Sequence[str], size: int, user: int, environment: Mapping[str, str]
) -> list[str]:
    """The command line. A user namespace for normal users; root needs none, and keeps what it takes to stop being root.

    Mounts apply in the order of the arguments, so a folder comes before what lies in it.
    """
    command = [
        program,
        "--clearenv",
        "--new-session",
        "--die-with-parent",
        "--hostname",
        "sandbox",
        "--cap-drop",
        "ALL",
    ]
    if os.geteuid() == 0:
        command += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-all", "--uid", str(user), "--gid", str(user)]
    for name, value in environment.items():
        command += ["--setenv", name, value]
    command += [*_system(), *_own(packages)]
    command += ["--perms", "0777", "--size", str(size), "--tmpfs", CALLS, "--remount-ro", "/", "--chdir", CALLS]
    return [*command, "--"]


def _system() -> list[str]:
    command = ["--ro-bind", "/usr", "/usr"]
    for path in ("/lib", "/lib64", "/lib32", "/bin"):
        command += _as_it_is(path)
    for device in (os.devnull, *interpreter.DEVICES):
        command += ["--dev-bind-try", device, device]
    return command


def _own(packages: Sequence[str]) -> list[str]:
    """Python, where it lies outside /usr, the packages and our own modules."""
    shown = [*interpreter.library_folders(), interpreter.binary(), str(SHOWN), *interpreter.package_folders(packages)]
    shown = [path for path in sorted(shown) if not path.startswith("/usr/")]
    command = []
    for folder in sorted({str(parent) for path in shown for parent in Path(path).parents} - {"/"}):
        command += ["--perms", "0755", "--dir", folder]  # bubblewrap would make them for root alone
    for path in [*shown, "/etc/ld.so.cache"]:
        command += ["--ro-bind-try", path, path]
    return command


def _as_it_is(path: str) -> list[str]:
    """A folder of the system, or the link that it is on machines where all of them lie in /usr."""
    if os.path.islink(path):
        return ["--symlink", os.readlink(path), path]
    return ["--ro-bind", path, path] if os.path.isdir(path) else []
