"""`Problem`: one game of ALFWorld as a frozen record that goes to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

Formula = tuple[Any, ...]
"""A goal: an operator or predicate, then its arguments; `("exists", (("?o", "object"),), ("isclean", "?o"))`."""

TRAITS = ("pickupable", "cleanable", "heatable", "coolable", "toggleable", "sliceable", "isreceptacleobject")
"""What a thing is by nature."""
MARKS = ("isclean", "ishot", "iscool", "istoggled", "ison", "issliced")
"""What actions make of a thing."""


class ProblemError(ValueError):
    """A game that this engine cannot play: it is malformed, or says something that ALFWorld's six tasks do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receptacle:
    """A piece of furniture that holds things. Ids and kinds are lower case."""

    id: str
    kind: str
    spot: str | None
    """Where one stands to use it; None: it cannot be reached."""
    openable: bool = False
    opened: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """An object. Ids and kinds are lower case."""

    id: str
    kind: str
    inside: tuple[str, ...] = ()
    """Ids of the receptacles that it is in or on: one, as a rule."""
    spots: tuple[str, ...] = ()
    """Where one stands to reach it: the spot of its receptacle, as a rule."""
    traits: tuple[str, ...] = ("pickupable",)
    """Out of `TRAITS`."""
    marks: tuple[str, ...] = ()
    """Out of `MARKS`, at the start."""
    contents: tuple[str, ...] = ()
    """Ids of things that lie in this thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One game: the furnished room, the chore, and a plan that does it."""

    name: str
    """Unique: split, task and number, or the path of a file."""
    sentence: str
    """The chore in English, with its full stop."""
    start: str
    """The spot where the agent stands at first."""
    held: str | None = None
    """Id of the thing in its hand at first."""
    receptacles: tuple[Receptacle, ...]
    things: tuple[Thing, ...]
    can_contain: tuple[tuple[str, str], ...]
    """(kind of receptacle, kind of thing) of everything that may be put somewhere."""
    goal: Formula
    walkthrough: tuple[str, ...] = ()
    """Commands that win from the start."""

    def to_json(self) -> dict[str, Any]:
        """The record as plain dicts, lists and strings."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The record that `to_json` wrote, also after a trip through a file. Raises ProblemError if it is none."""
        try:
            frozen = {key: _frozen(value) for key, value in data.items() if key not in ("receptacles", "things")}
            receptacles = tuple(Receptacle(**item) for item in data["receptacles"])
            things = tuple(Thing(**{key: _frozen(value) for key, value in item.items()}) for item in data["things"])
            return cls(receptacles=receptacles, things=things, **frozen)
        except (TypeError, KeyError, AttributeError) as error:
            raise ProblemError(f"a game needs the fields of Problem, as to_json writes them: {error}") from error


def _frozen(value: Any) -> Any:
    """Lists become tuples, at every depth."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value
