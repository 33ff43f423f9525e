"""What a probe is: code that tries one thing which code in the sandbox must not be able to do."""

from __future__ import annotations

from dataclasses import dataclass

from turnwise.envs.sandbox.result import Status

OPEN = "OPEN"
"""Printed by a probe that got what it wanted."""

HELPERS = """
import ctypes, errno, os, sys
C = ctypes.CDLL(None, use_errno=True)
ARM = os.uname().machine == "aarch64"
def call(x86_64, aarch64, *arguments):
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = C.syscall(ctypes.c_long(aarch64 if ARM else x86_64), *wide)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
"""
"""In front of probes that make system calls by number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The same code runs in the sandbox, where it must fail, and without walls (the control), where it succeeds.

    `{name}` in the code stands for a harmless target of `world.World`. `OPEN` printed by the last piece is success.
    """

    topic: str
    name: str
    codes: tuple[str, ...]
    """Pieces that run one after the other: calls of their own in the sandbox, one process in the control."""
    stopped: tuple[Status, ...] = ()
    """For a limit: the status that it has to end with, or `timeout`; empty: any, as long as `OPEN` is not printed."""
    sessions: bool = False
    """Each piece runs in a session of its own, all of them open at once."""
    root_only: bool = False
    """A normal user could not do it without walls either: the control needs root."""


def probe(topic: str, name: str, *codes: str, helpers: bool = False, **settings: object) -> Probe:
    """A probe whose success is that its last piece runs to the end."""
    pieces = [HELPERS + code if helpers else code for code in codes]
    pieces[-1] += f"\nprint({OPEN!r})"
    return Probe(topic=topic, name=name, codes=tuple(pieces), **settings)  # type: ignore[arg-type]
