"""`GameSpec`: how to make one registered game, without importing anything of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class GameSpec:
    """How to make one registered game."""

    id: str
    entry_point: str
    """`module:name` of a class or function that returns a `TextGame`."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Default arguments; the caller's win."""
    requires: tuple[tuple[str, str], ...] = ()
    """(module that must import, what to pip-install) of everything beyond numpy."""
    summary: str = ""
    """One line, for lists."""
    family: str = "other"
    """The page of the documentation and the group of benchmarks it belongs to."""
    slow: bool = False
    """A turn may take long or hang: the game runs in a worker process, with a deadline for every call."""
