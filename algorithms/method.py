"""`Method`: one registered idea, with the record of its settings and the names of its needs; `Registry`: all of them.

Other packages declare methods of theirs under the entry-point group `turnwise.algorithms`, as STAGE.NAME:

    [project.entry-points."turnwise.algorithms"]
    "credit.mine" = "my_package.credit:METHOD"

Nothing of a package is imported before a recipe names its method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
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


GROUP = "turnwise.algorithms"


class PartError(ImportError):
    """What a package declares as a method cannot be loaded, or is none."""


def declared(stage: str) -> list[EntryPoint]:
    """What installed packages declare for a stage, by their names without the stage."""
    own = f"{stage}."
    found = {(entry.name, entry.value): entry for entry in entry_points(group=GROUP) if entry.name.startswith(own)}
    return [EntryPoint(name.removeprefix(own), value, GROUP) for name, value in sorted(found)]


class Registry(dict[str, Method[Result]]):
    """The methods of one stage by name: turnwise's own, and on demand those of other packages."""

    def __init__(self, stage: str, methods: Mapping[str, Method[Result]]) -> None:
        super().__init__(methods)
        self.stage = stage
        """explore, rewards, credit, shapings, guard or corrections."""

    def known(self, *asked: str) -> list[str]:
        """All names, sorted; the other packages are only looked at where one that is asked for is not turnwise's."""
        others = [] if all(name in self for name in asked) else [entry.name for entry in declared(self.stage)]
        return sorted({*self, *others})

    def __missing__(self, name: str) -> Method[Result]:
        """The method of another package, kept. Raises KeyError where there is none, PartError where it cannot serve."""
        entries = [entry for entry in declared(self.stage) if entry.name == name]
        if not entries:
            raise KeyError(name)
        called, places = f"{self.stage}.{name}", ", ".join(entry.value for entry in entries)
        if len(entries) > 1:
            raise PartError(f"{called} is declared more than once ({places}): none of them counts")
        try:
            found = entries[0].load()
        except Exception as error:  # the code is somebody else's: it may raise anything
            raise PartError(f"{called} cannot be loaded: {places} raised {type(error).__name__}: {error}") from error
        if not isinstance(found, Method):
            raise PartError(f"{called} is declared as {places}, which has to be a Method: got {type(found).__name__}")
        self[name] = found
        return found
