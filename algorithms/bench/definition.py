"""What a learning benchmark trains and which claims it looks at, as frozen records read from YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from turnwise.algorithms.build import SettingsError, build, nearest
from turnwise.algorithms.checks import require_choice

KINDS = ("ahead", "at_half_the_calls")
WARM = "warm_start"
"""Beside the methods of a task: the model that all of its runs start from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task, and the methods that are compared at it."""

    title: str
    """What is played, in a few words."""
    figure: str
    """The measure in evaluations and summaries."""
    words: tuple[str, ...] = ()
    """Overrides of every run."""
    quick: tuple[str, ...] = ()
    """Further ones of the quick form."""
    base: tuple[str, ...] = ()
    """Overrides of the warm start that all runs begin with; none: every run has its own."""
    methods: Mapping[str, Any] = field(default_factory=dict)
    """Name of a method -> its overrides."""

    def __post_init__(self) -> None:
        if not self.methods:
            raise ValueError("a task compares methods: got none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """That some methods do better than others."""

    text: str
    """The claim, as a sentence."""
    source: str
    """Who says so, and with which figures."""
    better: tuple[str, ...]
    """TASK/METHOD of those that should be ahead; of several, the mean."""
    than: tuple[str, ...]
    """The same of those that should be behind."""
    kind: str = "ahead"
    """`ahead`: at the end. `at_half_the_calls`: when as many tool calls were made as half of the others' made."""

    def __post_init__(self) -> None:
        require_choice("kind", self.kind, KINDS)
        if not self.better or not self.than:
            raise ValueError("a claim compares at least one method with at least one other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A whole table."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Every method is trained once with each."""
    quick_seeds: tuple[int, ...] = (0,)
    """The same in the quick form."""
    words: tuple[str, ...] = ()
    """Overrides of every run of every task."""
    tasks: Mapping[str, Task] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()

    def __post_init__(self) -> None:
        known = {f"{name}/{method}" for name, task in self.tasks.items() for method in task.methods}
        for claim in self.claims:
            for place in (*claim.better, *claim.than):
                if place not in known:
                    raise ValueError(f"claims name a task and a method of it: got {place!r}; {nearest(place, known)}")

    def narrowed(self, only: Sequence[str], seeds: Sequence[int] | None, *, quick: bool) -> Bench:
        """This table with these tasks (all where none is named) and seeds, short if quick; claims about others go.

        Raises SettingsError on a task that there is not.
        """
        for name in only:
            if name not in self.tasks:
                raise SettingsError(f"there is no task {name!r}; {nearest(name, self.tasks)}")
        kept = {name: task for name, task in self.tasks.items() if name in only or not only}
        if quick:
            kept = {name: replace(task, words=(*task.words, *task.quick)) for name, task in kept.items()}
        claims = [claim for claim in self.claims if all(_task(place) in kept for place in (*claim.better, *claim.than))]
        chosen = tuple(seeds or (self.quick_seeds if quick else self.seeds))
        return replace(self, seeds=chosen, tasks=kept, claims=tuple(claims))


def _task(place: str) -> str:
    return place.partition("/")[0]


def read_bench(text: str) -> Bench:
    """The table that a YAML text describes. Raises SettingsError, naming the key, on anything unknown or impossible."""
    found = yaml.safe_load(text)
    if not isinstance(found, Mapping):
        raise SettingsError(f"a table is a mapping of settings: got {type(found).__name__}")
    parts = dict(found)
    tasks = {name: build(Task, values, f"tasks.{name}") for name, values in parts.pop("tasks", {}).items()}
    claims = tuple(build(Claim, values, f"claims[{i}]") for i, values in enumerate(parts.pop("claims", ())))
    plain = build(Bench, parts, "")
    try:
        return replace(plain, tasks=tasks, claims=claims)
    except ValueError as error:
        raise SettingsError(str(error)) from None
