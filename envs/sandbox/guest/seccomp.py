"""The system call filter: an allow-list compiled to classic BPF, loaded with prctl.

Source: Linux Documentation/userspace-api/seccomp_filter.rst; struct seccomp_data in include/uapi/linux/seccomp.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from turnwise.envs.sandbox.guest import syscalls
from turnwise.envs.sandbox.guest.libc import LIBC, PR_SET_SECCOMP, check

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
NUMBER_AT, MACHINE_AT, ARGUMENTS_AT = 0, 4, 16
X32 = 0x40000000
MODE_FILTER = 2
FCNTL_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 1030)
"""Duplicate, flags and locks. Not F_SETOWN, F_SETSIG and their like, which make the kernel send any signal."""

Instruction = tuple[int, int, int, int]
"""code, jump if true, jump if false, constant."""


def program(machine: str) -> list[Instruction]:
    """The filter of one architecture. Anything not known is refused; a call of another architecture kills."""
    x86 = machine == "x86_64"
    lines: list[Instruction] = [
        (LOAD, 0, 0, MACHINE_AT),
        (JUMP_EQUAL, 1, 0, syscalls.MACHINES[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT),
    ]
    if x86:
        lines += [(JUMP_AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILL)]
    for number in syscalls.allowed(machine):
        lines += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    lines += _one_of(syscalls.number("fcntl", machine), 1, FCNTL_COMMANDS)
    lines += _plain_modes(syscalls.number("openat", machine), 2)
    if x86:
        lines += _plain_modes(syscalls.OPEN_X86_64, 1)
    return [*lines, (RETURN, 0, 0, REFUSE)]


def _one_of(number: int, argument: int, values: tuple[int, ...]) -> list[Instruction]:
    body: list[Instruction] = [(LOAD, 0, 0, ARGUMENTS_AT + 8 * argument)]
    for value in values:
        body += [(JUMP_EQUAL, 0, 1, value), (RETURN, 0, 0, ALLOW)]
    body += [(RETURN, 0, 0, REFUSE)]
    return [(JUMP_EQUAL, 0, len(body), number), *body]


def _plain_modes(number: int, argument: int) -> list[Instruction]:
    """O_TRUNC only with a mode that writes, and no mode 3.

    Landlock before ABI 3 takes opening for reading with O_TRUNC for reading, and mode 3 for no access at all: either
    would empty files of this user anywhere. The bits are the same on both machines.
    """
    body: list[Instruction] = [(LOAD, 0, 0, ARGUMENTS_AT + 8 * argument), (AND, 0, 0, os.O_TRUNC | os.O_ACCMODE)]
    for refused in (os.O_TRUNC | os.O_RDONLY, os.O_ACCMODE, os.O_TRUNC | os.O_ACCMODE):
        body += [(JUMP_EQUAL, 0, 1, refused), (RETURN, 0, 0, REFUSE)]
    body += [(RETURN, 0, 0, ALLOW)]
    return [(JUMP_EQUAL, 0, len(body), number), *body]


def encode(lines: list[Instruction]) -> bytes:
    """struct sock_filter[]: code u16, jt u8, jf u8, k u32."""
    return b"".join(struct.pack("HBBI", code, true, false, constant) for code, true, false, constant in lines)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def load(encoded: bytes) -> None:
    """Put the filter on this process for good. Needs PR_SET_NO_NEW_PRIVS. Raises: OSError."""
    buffer = ctypes.create_string_buffer(encoded, len(encoded))
    header = _Program(len(encoded) // 8, ctypes.addressof(buffer))
    check(LIBC.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(header), 0, 0), "seccomp filter")
