"""From turns to tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.credit.broadcast import broadcast, turn_of_tokens


def test_by_hand() -> None:
    turn_of = turn_of_tokens([(1, 3), (4, 5), (5, 5), (6, 7)], width=8)
    assert turn_of.tolist() == [-1, 0, 0, -1, 1, -1, 3, -1]
    values, trained = broadcast([0.5, None, 9.0, 0.0], turn_of)
    assert values.tolist() == [0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert trained.tolist() == [False, True, True, False, False, False, True, False]
    assert values.dtype == np.float64


def test_no_turn_and_no_token() -> None:
    values, trained = broadcast([], np.array([-1, -1]))
    assert values.tolist() == [0.0, 0.0]
    assert trained.tolist() == [False, False]
    assert broadcast([1.0], turn_of_tokens([], 0))[0].shape == (0,)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.floats(-9, 9) | st.none()), max_size=6))
def test_lands_exactly_on_the_sampled_tokens(turns) -> None:
    spans, expected = [], []
    for gap, length, value in turns:
        expected += [None] * gap
        spans.append((len(expected), len(expected) + length))
        expected += [value] * length
    values, trained = broadcast([value for *_, value in turns], turn_of_tokens(spans, len(expected) + 2))
    assert [value if inside else None for value, inside in zip(values, trained, strict=True)] == expected + [None] * 2
    assert values[~trained].tolist() == [0.0] * int((~trained).sum())


@pytest.mark.parametrize("spans", [[(0, 5)], [(2, 1)], [(0, 2), (1, 3)], [(-1, 1)]])
def test_spans_that_do_not_fit_are_refused(spans) -> None:
    with pytest.raises(ValueError, match="ordered, disjoint and inside a row of 4 tokens"):
        turn_of_tokens(spans, width=4)


@pytest.mark.parametrize("turn_of", [[-2, 0], [0, 1]])
def test_turns_without_an_entry_are_refused(turn_of) -> None:
    with pytest.raises(ValueError, match="indices below 1"):
        broadcast([1.0], np.array(turn_of))
