"""`Method`: one registered idea, with the record of its settings and the names of what it needs."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Generic, NamedTuple, TypeVar

Result = TypeVar("Result")


class Method(NamedTuple, Generic[Result]):
    """An entry of a registry."""

    settings: type[Any]
    """A frozen record with a default for every field."""
    target: Callable[..., Result] | str
    """The function, or `module:name` of one that loads torch: it is imported when it is asked for, not before."""
    needs: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = ()
    """Names out of `turnwise.algorithms.needs.NEEDS`, or a function from the settings to them."""
    fills: tuple[str, ...] = ()
    """Needs of the parts after it that it meets."""
    check: Callable[[Any, int, int], None] | None = None
    """`check(settings, group_size, entropy_tokens)` raises ValueError where they do not go together; entropy_tokens:
    how many first tokens of a reply the entropy is recorded of."""
    players: Callable[[Any], tuple[str, ...]] | None = None
    """From the settings to the agents that they call upon, besides the learner."""

    @property
    def function(self) -> Callable[..., Result]:
        """The function itself."""
        if not isinstance(self.target, str):
            return self.target
        module, _, name = self.target.partition(":")
        found: Callable[..., Result] = getattr(import_module(module), name)
        return found

    def needs_with(self, settings: Any) -> tuple[str, ...]:
        """What it needs under these settings."""
        return self.needs(settings) if callable(self.needs) else self.needs
