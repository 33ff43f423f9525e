"""Questions over a closed world: chains of one to four facts, each with one provable answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from turnwise.envs.search.relations import OF_KIND, SHARES
from turnwise.envs.search.world import Fact, World

MOST_HOPS = 4
_LEADING = tuple(kind for kind in SHARES if kind != "country")  # kinds that a question starts from


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the facts that prove its answer, in the order in which they are looked up."""

    text: str
    answer: str
    chain: tuple[Fact, ...]


def draw_question(world: World, hops: int, rng: np.random.Generator) -> Question:
    """A question of so many facts. Every relation gives one object per subject, so that its answer is unique.

    No entity comes twice, and the answer does not stand in the question. Raises ValueError unless 1 <= hops <= 4.
    """
    if not 1 <= hops <= MOST_HOPS:
        raise ValueError(f"hops lie between 1 and {MOST_HOPS}: got {hops}")
    while True:
        chain = _walk(world, hops, rng)
        if chain is None:
            continue
        text = phrase(world, chain)
        if chain[-1].answer not in text:
            person = chain[-1].relation.object == "person"
            return Question(f"{'Who' if person else 'What'} is {text}?", chain[-1].answer, chain)


def phrase(world: World, chain: tuple[Fact, ...]) -> str:
    """The noun phrase of a chain's last object: "the mayor of the city where Ada Byron was born"."""
    words = world.titles[chain[0].subject]
    for fact in chain:
        words = fact.relation.phrase.format(x=words)
    return words


def _walk(world: World, hops: int, rng: np.random.Generator) -> tuple[Fact, ...] | None:
    """Facts that lead from one to the next; None where the walk ends early or comes back."""
    kinds = [kind for kind in _LEADING if hops == 1 or any(r.object in SHARES for r in OF_KIND[kind])]
    numbers = world.of_kind(kinds[rng.integers(len(kinds))])
    entity, chain = numbers.start + int(rng.integers(len(numbers))), []
    seen = {entity}
    for hop in range(hops):
        facts = [fact for fact in world.facts(entity) if hop == hops - 1 or fact.object is not None]
        chain.append(facts[rng.integers(len(facts))])
        found = chain[-1].object
        if found in seen:
            return None
        if found is not None:
            seen.add(found)
            entity = found
    return tuple(chain)
