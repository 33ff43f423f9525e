"""The closed world: every fact is stated once, in one place, and every question has one answer."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs.search.questions import draw_question, phrase
from turnwise.envs.search.relations import OF_KIND, RELATIONS, SHARES
from turnwise.envs.search.world import World, shared_world

SMALL = shared_world(200, 0)


def stated(world: World, entity: int, text: str) -> dict[str, set[str]]:
    """Relation -> every object that a passage states for its subject: wording by wording, object by object."""
    found: dict[str, set[str]] = {}
    name = world.titles[entity]
    for relation in OF_KIND[world.kind(entity)]:
        for sentence in relation.sentences:
            before, after = sentence.replace("{x}", name).split("{y}")
            for place in range(len(text)):
                if not text.startswith(before, place) or (place and text[place - 1] != " "):
                    continue
                body, end, _ = text[place + len(before) :].partition(after)
                if end and "." not in body:
                    found.setdefault(relation.name, set()).add(body)
    return found


@pytest.mark.parametrize("world", [SMALL, shared_world(200, 7)])
def test_a_passage_states_every_fact_and_no_other(world: World) -> None:
    """Read back from the texts alone: exactly the facts, one object each."""
    for entity in range(len(world)):
        facts = {fact.relation.name: {fact.answer} for fact in world.facts(entity)}
        read = stated(world, entity, world[entity].text)
        assert {name: read[name] & facts[name] for name in facts} == facts
        for name, objects in read.items():
            assert {one for one in objects if one in world.titles} <= facts[name] | {world.titles[entity]}


def test_titles_are_unique_and_some_differ_by_the_profession_only() -> None:
    world = shared_world(2000, 0)
    assert len(set(world.titles)) == 2000
    bare = [title.partition(" (")[0] for title in world.titles]
    twins = [title for title in bare if bare.count(title) == 2]
    assert len(twins) == 2 * int(900 * 0.06 / 2)


def test_shares_and_lengths() -> None:
    world = shared_world(2000, 0)
    assert [len(world.of_kind(kind)) for kind in SHARES] == [900, 300, 240, 280, 200, 80]
    lengths = [len(world[i].text.split()) for i in range(0, 2000, 10)]
    assert min(lengths) > 40 and max(lengths) < 130


def test_a_world_follows_from_size_and_seed() -> None:
    assert list(World(200, 3)) == list(World(200, 3))
    assert World(200, 3)[0] != World(200, 4)[0]
    assert World(200, 0)[0].title == "Dreblund Flaibrus (violinist)"
    assert pickle.loads(pickle.dumps(SMALL)) is SMALL


def test_marriage_is_mutual() -> None:
    (spouse,) = (relation for relation in RELATIONS if relation.name == "spouse")
    for person in SMALL.of_kind("person"):
        other = SMALL.fact(person, spouse).object
        assert other is not None and other != person and SMALL.fact(other, spouse).object == person


@pytest.mark.parametrize("size", [199, 100_001])
def test_sizes_have_bounds(size: int) -> None:
    with pytest.raises(ValueError, match=r"from 200 to 100,000: got"):
        World(size)


@settings(max_examples=200)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_a_question_is_a_chain_with_one_provable_answer(seed: int, hops: int) -> None:
    question = draw_question(SMALL, hops, np.random.default_rng(seed))
    chain = question.chain
    assert len(chain) == hops
    for earlier, later in pairwise(chain):
        assert earlier.object == later.subject
    entities = [fact.subject for fact in chain] + [fact.object for fact in chain[-1:] if fact.object is not None]
    assert len(set(entities)) == len(entities)
    assert question.answer not in question.text
    # brute force: of all things in the world, only the chain's start and relations give this noun phrase
    assert phrase(SMALL, chain) in question.text
    reached = {chain[0].subject}
    for fact in chain[:-1]:
        reached = {found for one in reached if (found := SMALL.fact(one, fact.relation).object) is not None}
    assert {SMALL.fact(one, chain[-1].relation).answer for one in reached} == {question.answer}


def test_hops_have_bounds() -> None:
    with pytest.raises(ValueError, match="hops lie between 1 and 4: got 5"):
        draw_question(SMALL, 5, np.random.default_rng(0))
