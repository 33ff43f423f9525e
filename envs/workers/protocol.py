"""What a game in the main process and its worker say to each other. Both ends are turnwise's own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from turnwise.envs.core import TextGame

READY = b"ready"
"""What a worker says first."""


class Recipe(NamedTuple):
    """How to build a game."""

    entry_point: str
    """`module:name` of a class or function that returns a `TextGame`."""
    kwargs: Mapping[str, Any]

    def build(self) -> TextGame:
        """A new game, not started. Raises TypeError where it is none, and what the game raises on its arguments."""
        module, _, name = self.entry_point.partition(":")
        game = getattr(import_module(module), name)(**self.kwargs)
        if not isinstance(game, TextGame):
            raise TypeError(f"{self.entry_point} must return a TextGame: got {type(game).__name__}")
        return game


class Move(NamedTuple):
    """Something that has changed a game since its start."""

    what: str
    """"play" or "observe"."""
    argument: str
    """The action, or the seat."""


class View(NamedTuple):
    """The game after an action, as far as everybody will ask for it."""

    seat: str | None
    legal: tuple[str, ...] | None
    news: str | None
    """What `observe` gave the seat to act; None where it was not asked."""
    task: str | None
    level: str | None


class Request(NamedTuple):
    """One thing to do with one game."""

    game: int
    """The game's number with this worker."""
    operation: str
    """"start", "play", "observe", "clone", "sample_action", or a member of `TextGame` to be called as it is."""
    arguments: tuple[Any, ...] = ()
    forget: tuple[int, ...] = ()
    """Games that nobody holds any more."""


class Answer(NamedTuple):
    """What came of a request."""

    kind: str
    """"done", "illegal", "unsupported", "invalid" (the game's arguments) or "failed"."""
    value: Any
    """Of "done" what was asked for, else the reason."""
