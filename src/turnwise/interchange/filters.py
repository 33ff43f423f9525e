"""Which episodes are exported: conditions such as `return>0`, `status=ok` or `step>=100`, all of which must hold."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from turnwise.algorithms.build import nearest
from turnwise.interchange.chat import seats_of
from turnwise.records import Episode

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*")


def _step(episode: Episode) -> Any:
    return episode.metadata.get("step")


KEYS: dict[str, Callable[[Episode], Any]] = {
    "id": lambda episode: episode.id,
    "env_id": lambda episode: episode.env_id,
    "status": lambda episode: episode.status,
    "level": lambda episode: episode.level,
    "task": lambda episode: episode.task,
    "group": lambda episode: episode.group,
    "kind": lambda episode: episode.metadata.get("kind"),
    "step": _step,
    "seed": lambda episode: episode.seed,
    "turns": lambda episode: len(episode.turns),
    "invalid": lambda episode: sum(turn.status != "ok" for turn in episode.turns),
}
"""What a condition may ask of an episode; `return`, `seat` and `agent` it asks of a seat of it."""
OF_SEAT = ("return", "seat", "agent")


class Filter:
    """Conditions on episodes and on their seats. Raises ValueError on one that cannot be read."""

    def __init__(self, conditions: Sequence[str] = ()) -> None:
        self._conditions = [_read(text) for text in conditions]

    def episode(self, episode: Episode, agent: str | None = None) -> bool:
        """Whether it is kept: it holds what is asked, and one of its seats that the agent held does."""
        return bool(self.seats(episode, agent))

    def seats(self, episode: Episode, agent: str | None = None) -> list[str]:
        """The seats of the agent that hold what is asked, in an episode that does; else []."""
        of_episode = [found for found in self._conditions if found[0] not in OF_SEAT]
        if not all(_holds(KEYS[key](episode), compare, value) for key, compare, value in of_episode):
            return []
        among = seats_of(episode, agent) or (list(episode.seats) if agent is None else [])
        return [seat for seat in among if self._seat(episode, seat)]

    def _seat(self, episode: Episode, seat: str) -> bool:
        known = {"return": episode.returns[seat], "seat": seat, "agent": episode.seats[seat]}
        return all(_holds(known[key], compare, value) for key, compare, value in self._conditions if key in known)


def _read(text: str) -> tuple[str, Callable[[Any, Any], bool], str]:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ValueError(f"a filter is KEY, one of {' '.join(_COMPARE)}, and a value, as in return>0: got {text!r}")
    key, sign, value = match.groups()
    if key not in KEYS and key not in OF_SEAT:
        known = [*KEYS, *OF_SEAT]
        raise ValueError(f"episodes cannot be filtered by {key!r}; {nearest(key, known)} (keys: {', '.join(known)})")
    return key, _COMPARE[sign], value


def _holds(found: Any, compare: Callable[[Any, Any], bool], value: str) -> bool:
    """Numbers are compared as numbers, all else as text; what is not known holds nothing but `!=`."""
    if found is None:
        return compare is operator.ne
    if isinstance(found, int | float):
        try:
            return compare(found, float(value))
        except ValueError:
            raise ValueError(f"a number is wanted to compare with {found}: got {value!r}") from None
    return compare(str(found), value)
