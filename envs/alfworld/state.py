"""`State`: what moves in a game, apart from the world, which does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from turnwise.envs.alfworld.problem import MARKS


@dataclass(slots=True)
class State:
    """Where everything is. Sets of ids: sort them before any text is made of them."""

    spot: str
    """Where the agent stands."""
    held: str | None = None
    """The thing in its hand."""
    opened: set[str] = field(default_factory=set)
    """Receptacles that are open."""
    contents: dict[str, set[str]] = field(default_factory=dict)
    """Receptacle -> the things in or on it."""
    near: dict[str, set[str]] = field(default_factory=dict)
    """Spot -> the things that can be reached from it."""
    marks: dict[str, set[str]] = field(default_factory=lambda: {mark: set() for mark in MARKS})
    """Mark -> the things that bear it."""
    taken: set[tuple[str, str]] = field(default_factory=set)
    """(thing, receptacle): taken out of it and not put back. The stock engine's `look` goes by it."""

    def copy(self) -> Self:
        """An independent copy."""
        return type(self)(
            self.spot,
            self.held,
            set(self.opened),
            {key: set(ids) for key, ids in self.contents.items()},
            {key: set(ids) for key, ids in self.near.items()},
            {key: set(ids) for key, ids in self.marks.items()},
            set(self.taken),
        )
