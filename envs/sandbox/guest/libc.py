"""The C library, for what Python has no function for."""

from __future__ import annotations

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38


def check(result: int, what: str) -> int:
    """`result`, unless it says failure. Raises: OSError that names the call."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option: int, value: int, what: str) -> None:
    """Set one attribute of this process. Raises: OSError."""
    check(LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0), what)
