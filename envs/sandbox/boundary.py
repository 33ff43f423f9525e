"""Which walls stand around the code."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Tier = Literal["auto", "bwrap", "landlock", "monty"]
TIERS: tuple[Tier, ...] = ("auto", "bwrap", "landlock", "monty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """What was chosen, and what of it holds on this machine."""

    tier: str
    """`bwrap`: bubblewrap around Landlock, seccomp and rlimits; `landlock`: these three; `monty`: an interpreter."""
    landlock_abi: int = 0
    """Files from 1, truncation by path from 3, TCP from 4, signals and abstract sockets from 6. 0: none (monty)."""
    seccomp: bool = False
    """An allow-list of system calls: no processes, threads, sockets, signals to others."""
    namespaces: bool = False
    """Own process ids, network, mounts, host name and System V objects (bubblewrap)."""
    uid: int = -1
    """User that the code runs as, as it sees itself; never 0."""
    root_dropped: bool = False
    """This process is root and the code is not."""
    without_bwrap: str | None = None
    """Why `auto` did not take bubblewrap, in its own words."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)
