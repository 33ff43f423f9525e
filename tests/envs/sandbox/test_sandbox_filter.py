"""The system call filter, run on an interpreter of classic BPF: what each machine's filter says to each call."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.sandbox.guest import seccomp, syscalls

MACHINES = list(syscalls.MACHINES)
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
NEVER = {
    # name: (x86_64, aarch64); from the kernel's tables
    "clone": (56, 220),
    "clone3": (435, 435),
    "execve": (59, 221),
    "execveat": (322, 281),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
    "kill": (62, 129),
    "tgkill": (234, 131),
    "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "ioctl": (16, 29),
    "mount": (165, 40),
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "setuid": (105, 146),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "memfd_create": (319, 279),
    "openat2": (437, 437),
    "truncate": (76, 45),
    "fchmodat": (268, 53),
    "fchownat": (260, 54),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "linkat": (265, 37),
    "symlinkat": (266, 36),
    "mknodat": (259, 33),
}


def verdict(machine: str, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the filter returns for one call."""
    words = [number, syscalls.MACHINES[machine] if audit is None else audit, 0, 0]
    for argument in (*arguments, *[0] * (6 - len(arguments))):
        words += [argument & 0xFFFFFFFF, argument >> 32 & 0xFFFFFFFF]
    lines, at, held = seccomp.program(machine), 0, 0
    while True:
        code, true, false, constant = lines[at]
        at += 1
        if code == seccomp.LOAD:
            held = words[constant // 4]
        elif code == seccomp.AND:
            held &= constant
        elif code == seccomp.RETURN:
            return constant
        else:
            holds = held == constant if code == seccomp.JUMP_EQUAL else held >= constant
            assert code in (seccomp.JUMP_EQUAL, seccomp.JUMP_AT_LEAST)
            at += true if holds else false


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_listed_is_allowed(machine: str) -> None:
    assert {verdict(machine, number) for number in syscalls.allowed(machine)} == {seccomp.ALLOW}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", sorted(NEVER))
def test_dangerous_calls_are_refused(machine: str, name: str) -> None:
    assert verdict(machine, NEVER[name][MACHINES.index(machine)]) == seccomp.REFUSE


@pytest.mark.parametrize("machine", MACHINES)
@given(number=st.integers(0, 0x3FFFFFFF), arguments=st.lists(st.integers(0, 2**64 - 1), max_size=6))
def test_what_is_not_listed_is_refused(machine: str, number: int, arguments: list[int]) -> None:
    checked = {pair[MACHINES.index(machine)] for pair in syscalls.CHECKED.values()} | {syscalls.OPEN_X86_64}
    if number not in {*syscalls.allowed(machine), *checked}:
        assert verdict(machine, number, *arguments) == seccomp.REFUSE


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_architecture_kill(machine: str) -> None:
    i386 = 0x40000003
    assert verdict(machine, 0, audit=i386) == seccomp.KILL
    if machine == "x86_64":
        assert verdict(machine, 0x40000000) == seccomp.KILL  # x32
        assert verdict(machine, 0xFFFFFFFF) == seccomp.KILL


@pytest.mark.parametrize("machine", MACHINES)
def test_fcntl_can_own_no_signals(machine: str) -> None:
    fcntl = syscalls.number("fcntl", machine)
    answers = {command: verdict(machine, fcntl, 1, command) for command in range(2000)}
    assert [command for command, answer in answers.items() if answer == seccomp.ALLOW] == [0, 1, 2, 3, 4, 5, 6, 7, 1030]
    assert verdict(machine, fcntl, 1, 8 | 1 << 32) == seccomp.REFUSE  # the kernel looks at the low half too


@pytest.mark.parametrize("machine", MACHINES)
def test_opening_empties_files_only_to_write_them(machine: str) -> None:
    opens = [(syscalls.number("openat", machine), 2)] + ([(syscalls.OPEN_X86_64, 1)] if machine == "x86_64" else [])
    for number, place in opens:
        for flags, answer in {
            os.O_RDONLY: seccomp.ALLOW,
            os.O_WRONLY | os.O_TRUNC | os.O_CREAT: seccomp.ALLOW,
            os.O_RDWR | os.O_TRUNC: seccomp.ALLOW,
            os.O_RDONLY | os.O_TRUNC: seccomp.REFUSE,
            os.O_RDONLY | os.O_TRUNC | os.O_CLOEXEC: seccomp.REFUSE,
            3: seccomp.REFUSE,
            3 | os.O_TRUNC: seccomp.REFUSE,
        }.items():
            assert verdict(machine, number, *[0] * place, flags) == answer, flags


def test_both_machines_have_the_same_calls() -> None:
    """Every old name of x86_64 has its modern twin in the common table, and no number comes twice."""
    assert {twin for _, twin in syscalls.OLD_NAMES.values()} <= set(syscalls.COMMON)
    for machine in MACHINES:
        numbers = syscalls.allowed(machine)
        assert len(set(numbers)) == len(numbers)
    assert len(syscalls.allowed("x86_64")) == len(syscalls.allowed("aarch64")) + len(syscalls.OLD_NAMES)


def test_a_machine_without_a_table_is_refused() -> None:
    with pytest.raises(KeyError, match="this machine is 'riscv64'"):
        syscalls.allowed("riscv64")


@pytest.mark.parametrize("machine", [machine for machine in MACHINES if HEADERS[machine].exists()])
def test_the_numbers_are_the_kernels(machine: str) -> None:
    """Against the headers of this machine, where it has them."""
    found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", HEADERS[machine].read_text()))
    found.setdefault("newfstatat", found.get("fstatat"))
    column = MACHINES.index(machine)
    ours = {name: pair[column] for name, pair in {**syscalls.COMMON, **syscalls.CHECKED, **NEVER}.items()}
    if machine == "x86_64":
        ours |= {name: number for name, (number, _) in syscalls.OLD_NAMES.items()} | {"open": syscalls.OPEN_X86_64}
    told = {name: int(found[name]) for name in ours if name in found}
    assert told == {name: ours[name] for name in told}
    assert len(told) > 80


def test_the_programs_are_short_enough_and_jump_inside() -> None:
    for machine in MACHINES:
        lines = seccomp.program(machine)
        assert len(lines) < 4096
        assert all(
            (max(true, false) <= 255 and at + 1 + max(true, false) < len(lines)) or code == seccomp.RETURN
            for at, (code, true, false, _) in enumerate(lines)
        )
        assert len(seccomp.encode(lines)) == 8 * len(lines)
