"""Which episodes are asked for: from the words of an address to a query, all values of which are parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

OUTCOMES = ("win", "draw", "loss", "truncated", "failed")
SORTS = {"step": "step", "return": "gain", "turns": "turns", "tokens": "tokens"}
LARGEST_PAGE = 500
_EQUAL = {"env": "env_id", "level": "level", "kind": "kind"}
_TOLD = """
WITH seen AS (SELECT *, {place} AS place FROM episodes WHERE {conditions}),
told AS (
    SELECT * EXCLUDE (text), returns[place] AS gain,
        CASE WHEN status = 'truncated' THEN 'truncated' WHEN status <> 'ok' THEN 'failed'
            WHEN returns[place] > 0 THEN 'win' WHEN returns[place] < 0 THEN 'loss' ELSE 'draw' END AS outcome
    FROM seen WHERE {outcome}
)
"""


class BadFilter(ValueError):
    """A filter has a value that it cannot have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Games are won, and returns sorted, as the chosen seat or agent sees it, else as the learner does."""

    env: str | None = None
    outcome: str | None = None
    seat: str | None = None
    agent: str | None = None
    invalid: bool | None = None
    """Whether some reply was invalid."""
    step_min: int | None = None
    step_max: int | None = None
    level: str | None = None
    kind: str | None = None
    text: str | None = None
    """Part of a text that was read or written, in capitals or not."""
    sort: str = "step"
    desc: bool = True
    page: int = 0
    size: int = 50

    def query(self) -> tuple[str, dict[str, Any]]:
        """A table `told` of all that is let through, and the values of its parameters."""
        conditions, values = ["true"], dict[str, Any]()

        def ask(condition: str, name: str, value: Any) -> None:
            if value is not None:
                conditions.append(condition)
                values[name] = value

        for name, column in _EQUAL.items():
            ask(f"{column} = ${name}", name, getattr(self, name))
        ask("list_contains(seats, $seat)", "seat", self.seat)
        held = "list_contains(agents, $agent)" if self.seat is None else "agents[list_position(seats, $seat)] = $agent"
        ask(held, "agent", self.agent)
        ask("(invalid > 0) = $invalid", "invalid", self.invalid)
        ask("step >= $step_min", "step_min", self.step_min)
        ask("step <= $step_max", "step_max", self.step_max)
        ask("contains(text, lower($text))", "text", self.text)
        outcome = "true"
        if self.outcome is not None:
            outcome, values["outcome"] = "outcome = $outcome", self.outcome
        told = _TOLD.format(place=self._place(), conditions=" AND ".join(conditions), outcome=outcome)
        return told, values

    def _place(self) -> str:
        if self.seat is not None:
            return "list_position(seats, $seat)"
        return "hero" if self.agent is None else "list_position(agents, $agent)"

    def order(self) -> str:
        """What rows are sorted by."""
        return f"{SORTS[self.sort]} {'DESC' if self.desc else 'ASC'} NULLS LAST"


def read_filters(words: Mapping[str, str]) -> Filters:
    """The filters of an address; empty values filter nothing. Raises BadFilter, naming the filter."""
    names = {field.name for field in fields(Filters)}
    unknown = sorted(words.keys() - names)
    if unknown:
        raise BadFilter(f"episodes are filtered by {', '.join(sorted(names))}: got {', '.join(unknown)}")
    given: dict[str, Any] = {name: value for name, value in words.items() if value != ""}
    for name in ("step_min", "step_max", "page", "size"):
        if name in given:
            given[name] = _integer(name, given[name])
    for name in ("invalid", "desc"):
        if name in given:
            given[name] = _choice(name, given[name], ("0", "1")) == "1"
    _choice("outcome", given.get("outcome", OUTCOMES[0]), OUTCOMES)
    _choice("sort", given.get("sort", "step"), tuple(SORTS))
    filters = Filters(**given)
    if not 1 <= filters.size <= LARGEST_PAGE:
        raise BadFilter(f"size is from 1 to {LARGEST_PAGE}: got {filters.size}")
    return filters


def _integer(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise BadFilter(f"{name} is a number, 0 or more: got {text[:40]!r}")
    return int(text)


def _choice(name: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise BadFilter(f"{name} is one of {', '.join(known)}: got {text[:40]!r}")
    return text
