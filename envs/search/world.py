"""`World`: a closed world of invented things and facts. Everything follows from its size and seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from turnwise.envs.search.names import fresh_words
from turnwise.envs.search.passages import Passage
from turnwise.envs.search.relations import (
    FILLERS,
    OF_KIND,
    PROFESSIONS,
    RELATIONS,
    SHARES,
    TITLE_WORDS,
    Relation,
)

SIZES = (200, 100_000)
"""Fewest and most passages of a world."""
VERSION = 1
"""Raised whenever the texts of a world change: part of the key of its index."""
_VALUES = 400  # different rivers and currencies
_YEARS = (1700, 2000)
_HOMONYMS = 0.06  # share of persons who have the name of another, and a profession to tell them apart


@dataclass(frozen=True, slots=True)
class Fact:
    """What a relation gives for an entity."""

    subject: int
    relation: Relation
    answer: str
    """Name of the object."""
    object: int | None
    """Its number where it is an entity."""


@dataclass(frozen=True)
class World(Sequence[Passage]):
    """A corpus with one passage per entity, written when it is read: entity i is passage i.

    size: number of passages. seed: of the world, not of an episode. Raises ValueError on another size.
    """

    size: int
    seed: int = 0
    titles: list[str] = field(init=False, repr=False)
    """Name of every entity, no two alike."""

    def __post_init__(self) -> None:
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise ValueError(f"size is a number of passages from {SIZES[0]} to {SIZES[1]:,}: got {self.size}")
        rng = np.random.default_rng([self.seed, self.size, VERSION])
        bounds = np.rint(np.cumsum([0.0, *SHARES.values()]) * self.size).astype(int)
        ranges = {kind: range(bounds[i], bounds[i + 1]) for i, kind in enumerate(SHARES)}
        taken: set[str] = set()
        titles = [title for kind in SHARES for title in _titles(kind, len(ranges[kind]), rng, taken)]
        words = fresh_words(rng, taken)
        values = [next(words) for _ in range(_VALUES)]
        facts = {relation.name: _objects(relation, ranges, rng) for relation in RELATIONS}
        for name, value in (("_ranges", ranges), ("titles", titles), ("_values", values), ("_facts", facts)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Passage:  # type: ignore[override]  # one passage, never a slice
        if not 0 <= index < self.size:
            raise IndexError(f"passages are 0 to {self.size - 1}: got {index}")
        return Passage(self.titles[index], " ".join(self._sentences(index)))

    def kind(self, entity: int) -> str:
        """Kind of an entity."""
        return next(kind for kind, numbers in self._ranges.items() if entity in numbers)

    def of_kind(self, kind: str) -> range:
        """The entities of a kind."""
        return self._ranges[kind]

    def fact(self, entity: int, relation: Relation) -> Fact:
        """The fact that a relation states about an entity of its kind."""
        found = int(self._facts[relation.name][entity - self._ranges[relation.subject].start])
        if relation.object in SHARES:
            return Fact(entity, relation, self.titles[found], found)
        return Fact(entity, relation, self._value(relation, found), None)

    def facts(self, entity: int) -> list[Fact]:
        """All facts whose subject is this entity."""
        return [self.fact(entity, relation) for relation in OF_KIND[self.kind(entity)]]

    def _value(self, relation: Relation, number: int) -> str:
        return str(number) if relation.object == "year" else self._values[number]

    def _sentences(self, entity: int) -> Iterator[str]:
        """Facts, denials of near misses, and fillers, in an order of the entity's own."""
        rng = np.random.default_rng([self.seed, self.size, VERSION, 1 + entity])
        name, kind = self.titles[entity], self.kind(entity)
        lines = []
        for fact in self.facts(entity):
            wordings = fact.relation.sentences
            lines.append(wordings[rng.integers(len(wordings))].format(x=name, y=fact.answer))
            if rng.random() < 0.5:
                other = self._other(fact, rng)
                lines.append(fact.relation.denials[0].format(x=name, z=other))
        fillers = rng.permutation(len(FILLERS[kind]))[:4]
        lines += [FILLERS[kind][i] for i in fillers]
        return (lines[i] for i in rng.permutation(len(lines)))

    def _other(self, fact: Fact, rng: np.random.Generator) -> str:
        """Another object of the same kind, which the relation does not give."""
        while True:
            if fact.relation.object in SHARES:
                numbers = self._ranges[fact.relation.object]
                other = self.titles[numbers.start + int(rng.integers(len(numbers)))]
            else:
                span = _YEARS if fact.relation.object == "year" else (0, _VALUES)
                other = self._value(fact.relation, int(rng.integers(*span)))
            if other not in (fact.answer, self.titles[fact.subject]):
                return other

    # Set in __post_init__, which a frozen record has to do behind its own back.
    _ranges: dict[str, range] = field(init=False, repr=False, compare=False)
    _values: list[str] = field(init=False, repr=False, compare=False)
    _facts: dict[str, np.ndarray] = field(init=False, repr=False, compare=False)

    def __reduce__(self) -> tuple[object, tuple[int, int]]:
        return shared_world, (self.size, self.seed)


@lru_cache(maxsize=4)
def shared_world(size: int, seed: int) -> World:
    """One world per process and setting: it never changes."""
    return World(size, seed)


def _titles(kind: str, count: int, rng: np.random.Generator, taken: set[str]) -> Iterator[str]:
    """Names of the entities of a kind."""
    words = fresh_words(rng, taken, 3 if kind in ("company", "city") else 2)
    if kind == "person":
        yield from _persons(count, rng, taken)
        return
    for _ in range(count):
        name = next(words)
        if kind in ("book", "film"):
            noun = TITLE_WORDS[rng.integers(len(TITLE_WORDS))]
            name = f"The {noun} of {name}" if kind == "book" else f"{name}'s {noun}"
        yield name


def _persons(count: int, rng: np.random.Generator, taken: set[str]) -> Iterator[str]:
    """A given and a family name; some share both with one other and are told apart by a profession."""
    words = fresh_words(rng, taken)
    given = [next(words) for _ in range(60)]
    pairs = int(count * _HOMONYMS / 2)
    for number in range(count - pairs):
        name = f"{given[rng.integers(len(given))]} {next(words)}"
        if number < pairs:
            first, second = rng.permutation(len(PROFESSIONS))[:2]
            yield f"{name} ({PROFESSIONS[first]})"
            name = f"{name} ({PROFESSIONS[second]})"
        yield name


def _objects(relation: Relation, ranges: dict[str, range], rng: np.random.Generator) -> np.ndarray:
    """[subjects] int64: number of the object of each subject; never the subject itself."""
    subjects = ranges[relation.subject]
    if relation.object not in SHARES:
        span = _YEARS if relation.object == "year" else (0, _VALUES)
        return rng.integers(*span, size=len(subjects))
    objects = ranges[relation.object]
    if relation.object != relation.subject:
        return objects.start + rng.integers(len(objects), size=len(subjects))
    return _matched(subjects, rng)


def _matched(people: range, rng: np.random.Generator) -> np.ndarray:
    """Couples: whom i is matched with is matched with i. Of an odd number the last one is told of the first couple."""
    order = people.start + rng.permutation(len(people))
    partner = np.empty(len(people), dtype=np.int64)
    for one, two in zip(order[::2], order[1::2], strict=False):
        partner[one - people.start], partner[two - people.start] = two, one
    if len(order) % 2:
        partner[order[-1] - people.start] = order[0]
    return partner
