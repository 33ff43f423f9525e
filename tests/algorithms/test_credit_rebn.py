"""Return batch normalisation, by hand and by property."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.credit.rebn import ReBNSettings, credit, normalised

anything = st.lists(st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.1, 1e6])), max_size=12)
stds = st.sampled_from(["population", "sample"])


def test_by_hand() -> None:
    # mean 2; squared distances 1 + 1: population std 1, sample std sqrt(2)
    assert normalised([1.0, 3.0], eps=0.0).tolist() == [-1.0, 1.0]
    assert normalised([1.0, 3.0], eps=1.0).tolist() == [-0.5, 0.5]
    assert normalised([1.0, 3.0], std="sample", eps=0.0) == pytest.approx([-(0.5**0.5), 0.5**0.5])
    assert normalised([5.0]).tolist() == [0.0]
    assert normalised([]).tolist() == []


@given(anything, stds, st.sampled_from([0.0, 1e-9]))
def test_never_nan(values, std, eps) -> None:
    assert np.isfinite(normalised(values, std=std, eps=eps)).all()


@given(st.floats(-1e6, 1e6), st.integers(1, 9), stds, st.sampled_from([0.0, 1e-9]))
def test_equal_returns_give_exactly_zero(value, size, std, eps) -> None:
    assert normalised([value] * size, std=std, eps=eps).tolist() == [0.0] * size


@given(st.lists(st.integers(-100, 100), min_size=1, max_size=12), st.integers(-1000, 1000), stds)
def test_a_constant_added_to_all_returns_changes_nothing(values, shift, std) -> None:
    moved = normalised([value + shift for value in values], std=std)
    assert moved == pytest.approx(normalised(values, std=std), abs=1e-9)


@given(st.lists(st.integers(-100, 100), max_size=12), st.randoms(use_true_random=False), stds)
def test_a_permutation_permutes_the_result(values, random, std) -> None:
    order = list(range(len(values)))
    random.shuffle(order)
    moved = normalised([values[index] for index in order], std=std)
    assert moved == pytest.approx(normalised(values, std=std)[order], abs=1e-9)


def test_every_trained_turn_counts_once(episode) -> None:
    games = [
        episode("010", {"0": 2.0, "1": 7.0}, rewards=(0.0, 7.0, 2.0), agents={"1": "random"}),
        episode("00", {"0": 4.0, "1": 0.0}, rewards=(0.0, 4.0), agents={"1": "random"}, silent=(0,)),
        episode("0", {"0": 9.0, "1": 0.0}, agents={"1": "random"}, status="timeout"),
    ]
    # rewards-to-go with gamma 1/2: 1, 2 and 4; mean 7/3, squares (16 + 1 + 25) / 9, population std sqrt(14) / 3
    got = credit(games, {}, ReBNSettings(gamma=0.5, eps=0.0))
    first, second, third = np.array([-4.0, -1.0, 5.0]) / 14.0**0.5
    assert got.advantages[0] == [pytest.approx(first), None, pytest.approx(second)]
    assert got.advantages[1] == [None, pytest.approx(third)]
    assert got.advantages[2] == [None]
    assert got.state == {}


@pytest.mark.parametrize("wrong", [{"std": "popular"}, {"eps": -1.0}, {"gamma": 1.5}])
def test_impossible_settings_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ReBNSettings(**wrong)
