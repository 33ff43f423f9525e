"""Doors of the kernel that code has no use for. A control acts in namespaces of its own, and they end with it."""

from __future__ import annotations

from turnwise.envs.sandbox.probes.record import Probe, probe

TOPIC = "kernel"
OWN_NAMESPACES = "call(272, 97, 0x10000000 | 0x00020000)\n"
"""unshare(CLONE_NEWUSER | CLONE_NEWNS): in it a normal user may mount and chroot, and nobody else sees it."""


def syscall(name: str, body: str, root_only: bool = False) -> Probe:
    """A probe by system call number."""
    return probe(TOPIC, name, body, helpers=True, root_only=root_only)


PROBES: tuple[Probe, ...] = (
    syscall("unshare namespaces", OWN_NAMESPACES),
    syscall(
        "mount",
        OWN_NAMESPACES + "os.mkdir('m')\ncall(165, 40, b'none', b'm', b'tmpfs', 0, 0)",
    ),
    syscall("chroot", OWN_NAMESPACES + "os.chroot('.')"),
    syscall("setuid 0", "os.setuid(0)", root_only=True),
    syscall(
        "enter a namespace",
        OWN_NAMESPACES + "call(308, 268, os.open('/proc/self/ns/mnt', os.O_RDONLY), 0)",
    ),
    syscall("keyctl", "call(250, 219, 0, -3, 1, 0, 0)"),
    syscall("add_key", "call(248, 217, b'user', b'turnwise-probe', b'x', 1, -1)"),
    syscall(
        "bpf",
        "array = (2).to_bytes(4, 'little') + (4).to_bytes(4, 'little') * 3\n"
        "call(321, 280, 0, ctypes.create_string_buffer(array, 72), 72)",
        root_only=True,
    ),
    syscall("io_uring", "call(425, 425, 4, ctypes.create_string_buffer(120))"),
    syscall("userfaultfd", "call(323, 282, 1)"),
    syscall(
        "perf_event_open",
        "event = (1).to_bytes(4, 'little') + (120).to_bytes(36, 'little') + (0x61).to_bytes(8, 'little')\n"
        "call(298, 241, ctypes.create_string_buffer(event, 120), 0, -1, -1, 0)",
    ),
    syscall("memfd_create (memory that no limit counts)", "call(319, 279, b'x', 0)"),
    syscall("System V shared memory", "call(31, 195, call(29, 194, 0, 4096, 0o1600), 0, 0)"),
    syscall(
        "message queues", "call(240, 180, b'turnwise-{fresh}', 0o102, 0o600, 0)\ncall(241, 181, b'turnwise-{fresh}')"
    ),
    syscall("prctl", "call(157, 167, 15, b'renamed')"),
    syscall("personality", "call(135, 92, 0)"),
    syscall("a filter of one's own (seccomp)", "call(317, 277, 2, 0, ctypes.byref(ctypes.c_uint32(0x7FFF0000)))"),
    syscall("sysinfo of the machine", "call(99, 179, ctypes.create_string_buffer(256))"),
    syscall("ioctl on the output", "call(16, 29, 1, 0x541B, ctypes.byref(ctypes.c_int()))"),
    syscall("watch files (inotify)", "call(294, 26, 0)"),
)
