"""`Recipe`: which kind of TextWorld game, with which settings; and the settings that the levels stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEVELS = ("easy", "medium", "hard")
GOALS = ("detailed", "brief")
MOST_ROOMS = 100  # the Z-machine file holds no more

Setting = int | bool | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A kind of game with its settings: with a seed it makes one game, the same on every machine."""

    kind: str
    """coin_collector, treasure_hunter, cooking, simple or custom."""
    level: str
    settings: tuple[tuple[str, Setting], ...]
    """(name, value), sorted by name."""

    def __getitem__(self, name: str) -> Any:
        return dict(self.settings)[name]

    def __str__(self) -> str:
        return f"{self.kind} with {', '.join(f'{name}={value}' for name, value in self.settings)}"


COIN_COLLECTOR: Mapping[str, Mapping[str, Setting]] = {
    "easy": {"difficulty": 5, "goal": "detailed"},  # 5 rooms in a chain
    "medium": {"difficulty": 110, "goal": "brief"},  # 10 in a chain, 10 dead ends
    "hard": {"difficulty": 220, "goal": "brief"},  # 20 in a chain, 40 dead ends
}
TREASURE_HUNTER: Mapping[str, Mapping[str, Setting]] = {
    "easy": {"difficulty": 5, "goal": "detailed"},  # 5 rooms, no doors
    "medium": {"difficulty": 15, "goal": "brief"},  # 10 rooms, closed doors and containers
    "hard": {"difficulty": 25, "goal": "brief"},  # 20 rooms, locked ones
}
COOKING: Mapping[str, Mapping[str, Setting]] = {
    "easy": {"recipe": 1, "take": 1, "go": 1, "open": False, "cook": True, "cut": False},
    "medium": {"recipe": 2, "take": 2, "go": 6, "open": True, "cook": True, "cut": True},
    "hard": {"recipe": 3, "take": 3, "go": 12, "open": True, "cook": True, "cut": True},
}
SIMPLE: Mapping[str, Mapping[str, Setting]] = {
    "easy": {"goal": "detailed"},
    "medium": {"goal": "brief"},
    "hard": {"goal": "none"},  # a note in the kitchen tells it
}
CUSTOM: Mapping[str, Mapping[str, Setting]] = {
    "easy": {"rooms": 2, "objects": 3, "quest_length": 4, "goal": "detailed"},
    "medium": {"rooms": 4, "objects": 6, "quest_length": 8, "goal": "detailed"},
    "hard": {"rooms": 8, "objects": 12, "quest_length": 12, "goal": "detailed"},
}


def make_recipe(kind: str, level: str, table: Mapping[str, Mapping[str, Setting]], /, **settings: Setting) -> Recipe:
    """The settings of a level, but for those given here that are not None. Raises ValueError on an unknown level."""
    check_one_of("level", level, LEVELS)
    chosen = dict(table[level]) | {name: value for name, value in settings.items() if value is not None}
    return Recipe(kind=kind, level=level, settings=tuple(sorted(chosen.items())))


def check_one_of(name: str, value: object, allowed: Sequence[object]) -> None:
    """Raises ValueError unless the value is one of those allowed (True is no 1 here)."""
    if not any(value == other and type(value) is type(other) for other in allowed):
        raise ValueError(f"{name} is one of {', '.join(map(str, allowed))}: got {value!r}")


def check_number(name: str, value: object, low: int, high: int) -> None:
    """Raises ValueError unless the value is a whole number from low to high."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} is a whole number from {low} to {high}: got {value!r}")
