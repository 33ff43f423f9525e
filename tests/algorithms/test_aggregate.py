"""Weights of tokens: by hand, and the same however the batch is cut up."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from turnwise.algorithms.aggregate import AGGREGATIONS, Totals, masked_fraction, token_weights, totals, weighted_sum

MASK = tensor([[1, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]])
LOSS = tensor([[1.0, 2.0, 99.0, 3.0], [99.0] * 4, [6.0, 99.0, 99.0, 99.0]])


@pytest.mark.parametrize(
    ("mode", "settings", "expected"),
    [
        ("token-mean", {}, 12.0 / 4),
        ("seq-mean-token-sum", {}, (6.0 + 6.0) / 2),
        ("seq-mean-token-mean", {}, (2.0 + 6.0) / 2),
        ("seq-mean-token-sum-norm", {}, 12.0 / 4),  # the width of the mask
        ("seq-mean-token-sum-norm", {"constant": 8}, 12.0 / 8),
        ("seq-mean-token-sum-norm", {"constant": 8, "divide_by_sequences": True}, 12.0 / 8 / 2),
    ],
)
def test_by_hand(mode, settings, expected) -> None:
    weights = token_weights(MASK, mode, **settings)
    assert weights.dtype == torch.float64
    assert weights[MASK == 0].tolist() == [0.0] * 8
    assert float(weighted_sum(LOSS, weights)) == pytest.approx(expected, abs=1e-6)


def test_totals() -> None:
    assert totals(MASK) == Totals(tokens=4, sequences=2)


@pytest.mark.parametrize("mode", AGGREGATIONS)
def test_nothing_to_train_is_zero_not_nan(mode) -> None:
    weights = token_weights(torch.zeros(2, 3), mode)
    assert float(weighted_sum(torch.full((2, 3), math.nan), weights)) == 0.0


rows = st.lists(
    st.lists(st.tuples(st.booleans(), st.floats(-100, 100)), min_size=3, max_size=3), min_size=2, max_size=6
)


@given(rows, st.sampled_from(AGGREGATIONS), st.integers(1, 5), st.booleans())
def test_parts_add_up_to_the_whole(drawn, mode, cut, divide) -> None:
    settings = {"constant": 7.0, "divide_by_sequences": divide} if mode == "seq-mean-token-sum-norm" else {}
    mask = tensor([[inside for inside, _ in row] for row in drawn])
    loss = tensor([[value for _, value in row] for row in drawn], dtype=torch.float64)
    whole = float(weighted_sum(loss, token_weights(mask, mode, **settings)))

    counts = [totals(part) for part in mask.split(cut)]
    batch = Totals(sum(part.tokens for part in counts), sum(part.sequences for part in counts))
    pieces = zip(mask.split(cut), loss.split(cut), strict=True)
    parts = sum(float(weighted_sum(part, token_weights(m, mode, batch=batch, **settings))) for m, part in pieces)
    assert parts == pytest.approx(whole, abs=1e-9)


@given(rows, st.sampled_from(AGGREGATIONS))
def test_padding_changes_nothing(drawn, mode) -> None:
    settings = {"constant": 7.0} if mode == "seq-mean-token-sum-norm" else {}
    mask = tensor([[inside for inside, _ in row] for row in drawn])
    padded = torch.nn.functional.pad(mask, (0, 2, 0, 1))
    weights = token_weights(padded, mode, **settings)
    assert torch.equal(weights[:-1, :-2], token_weights(mask, mode, **settings))
    assert float(weights[-1].sum() + weights[:, -2:].sum()) == 0.0


def test_masked_fraction() -> None:
    flags = tensor([[True, True, True], [False, False, True]])
    assert float(masked_fraction(flags, tensor([[1, 0, 1], [1, 1, 0]]))) == pytest.approx(0.5)
    assert float(masked_fraction(flags, torch.zeros(2, 3))) == 0.0


@pytest.mark.parametrize(
    ("mode", "settings", "message"),
    [
        ("token_mean", {}, "aggregation is one of .*did you mean 'token-mean'"),
        ("token-mean", {"constant": 8}, "belong to seq-mean-token-sum-norm: got mode 'token-mean'"),
        ("seq-mean-token-sum", {"divide_by_sequences": True}, "belong to seq-mean-token-sum-norm"),
        ("seq-mean-token-sum-norm", {"constant": 0}, r"constant is a finite number in \(0, inf\)"),
    ],
)
def test_impossible_settings_are_refused(mode, settings, message) -> None:
    with pytest.raises(ValueError, match=message):
        token_weights(MASK, mode, **settings)
