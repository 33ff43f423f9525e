"""Random streams that belong to one reply, and the settings of a sampled reply."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.agents.sampling import Sampling, derive_seed, derive_seeds, mix, skip, uniforms

seeds = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8)


def test_mix_is_splitmix64() -> None:
    """First outputs of the generator seeded with 1234567, as published with its reference implementation."""
    state = np.array([1234567], dtype=np.uint64)
    assert [int(mix(state, position)[0]) for position in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(seeds, st.integers(0, 1000))
def test_a_draw_depends_on_its_seed_and_position_alone(values: list[int], position: int) -> None:
    together = uniforms(np.array(values, dtype=np.uint64), position)
    alone = [uniforms(np.array([value], dtype=np.uint64), position)[0] for value in values]
    assert together.tolist() == alone
    assert all(0 <= draw < 1 for draw in alone)


def test_draws_are_uniform_along_a_stream_and_across_streams() -> None:
    along = np.array([uniforms(np.array([5], dtype=np.uint64), position)[0] for position in range(4000)])
    across = uniforms(np.arange(4000, dtype=np.uint64), 0)
    for draws in (along, across):
        counts = np.histogram(draws, bins=20, range=(0, 1))[0]
        assert ((counts - 200) ** 2 / 200).sum() < 43.8  # chi-square, 19 degrees of freedom, p = 0.001
        assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.06


@given(st.lists(st.integers(-(2**70), 2**70), max_size=4))
def test_a_derived_seed_is_a_63_bit_number_that_repeats(parts: list[int]) -> None:
    assert 0 <= derive_seed(*parts) < 2**63
    assert derive_seed(*parts) == derive_seed(*parts)


def test_other_parts_another_seed() -> None:
    """Order, number and value of the parts count; neighbours share nothing."""
    several = [(), (0,), (0, 0), (0, 1), (1, 0), (1,), (2,), (1, 2, 3), (3, 2, 1)]
    several += [(seed, 0, turn) for seed in range(100, 150) for turn in range(50)]
    assert len({derive_seed(*parts) for parts in several}) == len(several)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, "temperature is finite and at least 0: got -0.1"),
        ({"temperature": float("nan")}, "temperature is finite and at least 0: got nan"),
        ({"top_p": 0.0}, r"top_p lies in \(0, 1\]: got 0.0"),
        ({"top_p": 1.1}, r"top_p lies in \(0, 1\]: got 1.1"),
        ({"max_tokens": 0}, "max_tokens is at least 1: got 0"),
        ({"entropy_tokens": -1}, "entropy_tokens is at least 0: got -1"),
        ({"stop": ("]", "")}, "stop holds texts of at least one character"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**settings)  # type: ignore[arg-type]


@given(seeds, st.integers(0, 50), st.integers(0, 50))
def test_a_stream_goes_on_after_some_draws(seeds: list[int], draws: int, position: int) -> None:
    row = np.array(seeds, dtype=np.uint64)
    later = skip(row, np.full(len(seeds), draws, dtype=np.uint64))
    assert uniforms(later, position).tolist() == uniforms(row, draws + position).tolist()


@given(st.lists(st.tuples(*[st.integers(-3, 2**70)] * 2), min_size=1, max_size=20), st.integers(-3, 2**70))
def test_many_seeds_are_derived_as_one_by_one(rows: list[tuple[int, int]], shared: int) -> None:
    firsts, lasts = zip(*rows, strict=True)
    wanted = [derive_seed(first, shared, last) for first, last in rows]
    assert derive_seeds(firsts, shared, lasts) == wanted
    assert all(type(seed) is int for seed in derive_seeds(firsts, shared, lasts))


def test_many_seeds_of_a_range() -> None:
    assert derive_seeds(7, range(10)) == [derive_seed(7, number) for number in range(10)]
    assert derive_seeds(7, range(0)) == []
