"""Generators made together are those that numpy makes one by one."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.seeding import generators, seed_words

SEEDS = st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**63]), min_size=1, max_size=9)


@given(seeds=SEEDS)
def test_the_words_are_numpys(seeds: list[int]) -> None:
    expected = [np.random.SeedSequence(seed).generate_state(4, np.uint64).tolist() for seed in seeds]
    words = seed_words(seeds)
    assert words.dtype == np.uint64 and words.tolist() == expected


@given(seeds=SEEDS)
def test_the_generators_are_numpys_with_children_and_copies(seeds: list[int]) -> None:
    for seed, ours in zip(seeds, generators(seeds), strict=True):
        theirs = np.random.default_rng(seed)
        assert ours.bit_generator.state == theirs.bit_generator.state
        for _ in range(2):  # the second two children are not the first two
            assert [g.random() for g in ours.spawn(2)] == [g.random() for g in theirs.spawn(2)]
        twins = [pickle.loads(pickle.dumps(ours)), copy.deepcopy(ours), ours, theirs]
        assert len({twin.random() for twin in twins}) == 1
        assert len({twin.spawn(1)[0].random() for twin in twins}) == 1


def test_a_known_value() -> None:
    assert generators([42] * 4)[0].random() == np.random.default_rng(42).random() == 0.7739560485559633
    assert generators([]) == []


def test_seeds_of_any_size_are_numpys() -> None:
    seeds = [0, 1, 2, 3, 1 << 64, 12345678901234567890123]
    wanted = [np.random.default_rng(seed).random() for seed in seeds]
    assert [generator.random() for generator in generators(seeds)] == wanted
    with pytest.raises(ValueError, match="non-negative"):
        generators([0, 1, 2, -3])
