"""Giving up what this process need not have: root, and the means to get anything back."""

from __future__ import annotations

import ctypes
import os
import signal

from turnwise.envs.sandbox.guest.libc import (
    LIBC,
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    prctl,
)

CAPSET_HEADER = (ctypes.c_uint32 * 2)(0x20080522, 0)


def drop_root(user: int) -> None:
    """Become `user` with no groups, for good; nothing where this process is not root. Raises: OSError."""
    if os.geteuid() != 0 and os.getuid() != 0:
        return
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    if os.getresuid() != (user, user, user):
        raise PermissionError("root was not dropped")


def give_up() -> None:
    """No capabilities, no way to gain privileges, and no process of the same user may look into this one."""
    LIBC.capset(CAPSET_HEADER, (ctypes.c_uint32 * 6)())
    prctl(PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS")
    prctl(PR_SET_DUMPABLE, 0, "PR_SET_DUMPABLE")


def die_with(parent: int) -> None:
    """Be killed when the parent process ends, even if it already has."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, "PR_SET_PDEATHSIG")
    if os.getppid() != parent:
        os._exit(0)
