"""The system calls that code in the sandbox may make, by name, with their numbers on both architectures.

Everything else is refused with EPERM. Left out on purpose, although common: fork, clone, execve, socket, kill, ptrace,
prctl, ioctl, prlimit64, and whatever changes a file by path that Landlock does not govern (chmod, chown, utimensat,
setxattr, truncate) or makes links. So there are no processes, threads, sockets, signals to others, and no symlinks.

Source: Linux arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h (which aarch64 uses).
"""

from __future__ import annotations

COMMON: dict[str, tuple[int, int]] = {
    # name: (x86_64, aarch64)
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "readv": (19, 65),
    "writev": (20, 66),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "dup": (32, 23),
    "nanosleep": (35, 101),
    "getitimer": (36, 102),
    "setitimer": (38, 103),
    "getpid": (39, 172),
    "exit": (60, 93),
    "uname": (63, 160),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "ftruncate": (77, 46),
    "getcwd": (79, 17),
    "chdir": (80, 49),
    "fchdir": (81, 50),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "times": (100, 153),
    "getuid": (102, 174),
    "getgid": (104, 176),
    "geteuid": (107, 175),
    "getegid": (108, 177),
    "getppid": (110, 173),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "getdents64": (217, 61),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "mkdirat": (258, 34),
    "newfstatat": (262, 79),
    "unlinkat": (263, 35),
    "renameat": (264, 38),
    "readlinkat": (267, 78),
    "faccessat": (269, 48),
    "pselect6": (270, 72),
    "ppoll": (271, 73),
    "dup3": (292, 24),
    "renameat2": (316, 276),
    "getrandom": (318, 278),
    "statx": (332, 291),
    "close_range": (436, 436),
    "faccessat2": (439, 439),
}

CHECKED: dict[str, tuple[int, int]] = {"fcntl": (72, 25), "openat": (257, 56)}
"""Allowed with some arguments only: see `seccomp`."""

OLD_NAMES: dict[str, tuple[int, str]] = {
    # name: (x86_64, the call that does the same on aarch64, which lacks this one)
    "stat": (4, "newfstatat"),
    "lstat": (6, "newfstatat"),
    "poll": (7, "ppoll"),
    "access": (21, "faccessat"),
    "select": (23, "pselect6"),
    "dup2": (33, "dup3"),
    "alarm": (37, "setitimer"),
    "rename": (82, "renameat"),
    "mkdir": (83, "mkdirat"),
    "rmdir": (84, "unlinkat"),
    "unlink": (87, "unlinkat"),
    "readlink": (89, "readlinkat"),
    "time": (201, "clock_gettime"),
}
OPEN_X86_64 = 2

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_* of the machines that have a table."""


def allowed(machine: str) -> list[int]:
    """Numbers that are allowed whatever their arguments. Raises: KeyError for a machine without a table."""
    column = list(MACHINES).index(machine) if machine in MACHINES else None
    if column is None:
        raise KeyError(f"the sandbox knows the system calls of {' and '.join(MACHINES)}: this machine is {machine!r}")
    old = [number for number, _ in OLD_NAMES.values()] if machine == "x86_64" else []
    return sorted([numbers[column] for numbers in COMMON.values()] + old)


def number(name: str, machine: str) -> int:
    """The number of one common call."""
    return {**COMMON, **CHECKED}[name][list(MACHINES).index(machine)]
