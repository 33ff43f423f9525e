"""Landlock: which folders this process may read and write, from now on and for its children.

Source: Linux Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

from turnwise.envs.sandbox.guest.libc import LIBC, check

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""The same numbers on every architecture."""
VERSION_FLAG, RULE_PATH_BENEATH = 1, 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, TRUNCATE, IOCTL_DEV = 1 << 4, 1 << 14, 1 << 15
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""Rights that a rule on a single file may carry."""
RIGHTS_KNOWN = {1: 13, 2: 14, 3: 15, 4: 15}
"""ABI -> how many file rights it knows; 16 from ABI 5 on."""
READ = READ_FILE | READ_DIR


def version() -> int:
    """The kernel's Landlock ABI, 0 where it has none or it is switched off."""
    return max(0, int(LIBC.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)))


def rights(abi: int) -> int:
    """All rights over files that this ABI can take away."""
    return (1 << RIGHTS_KNOWN.get(abi, 16)) - 1


def open_paths(paths: Iterable[str]) -> list[int]:
    """A descriptor for each path that exists, for `restrict`; they are not for reading."""
    found = []
    for path in paths:
        try:
            found.append(os.open(path, os.O_PATH | os.O_CLOEXEC))
        except OSError:  # not every machine has /lib64 or /usr/share/zoneinfo
            continue
    return found


def restrict(readable: Iterable[int], writable: Iterable[int], removable: Iterable[int] = ()) -> int:
    """Leave only what lies beneath these descriptors; no TCP, no signals or abstract sockets to the outside.

    Beneath `removable`, empty folders may be removed and nothing else.

    Returns: the ABI, which says how much holds: TCP from 4, signals and abstract sockets from 6.
    Raises: OSError where the kernel refuses.
    """
    abi = version()
    handled = rights(abi)
    ruleset = _ruleset(abi, handled)
    for descriptor in readable:
        _add(ruleset, descriptor, READ & handled)
    for descriptor in writable:
        _add(ruleset, descriptor, handled & ~EXECUTE & ~IOCTL_DEV)
    for descriptor in removable:
        _add(ruleset, descriptor, REMOVE_DIR & handled)
    check(LIBC.syscall(RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)
    return abi


def _ruleset(abi: int, handled: int) -> int:
    network, scopes = (3 if abi >= 4 else 0), (3 if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    attributes = ctypes.create_string_buffer(struct.pack("QQQ", handled, network, scopes)[:size], size)
    made = LIBC.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    return check(made, "landlock_create_ruleset")


def _add(ruleset: int, descriptor: int, rule: int) -> None:
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        rule &= ON_FILES
    packed = ctypes.create_string_buffer(struct.pack("=Qi", rule, descriptor), 12)
    check(LIBC.syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, packed, 0), "landlock_add_rule")
