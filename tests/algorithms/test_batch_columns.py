"""Rows of different lengths as one tensor, and the credit of turns that are not discounted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.batch import _flat, _laid_out, _table, pack_samples
from turnwise.algorithms.credit.episodes import Advantage, spread_over_turns
from turnwise.algorithms.samples import Row, Sample
from turnwise.records import Episode, Turn


def test_rows_stand_on_the_left_and_padding_behind_them() -> None:
    rows = [Row((1, 2, 5), ((1, 2), (2, 3))), Row((3, 4), ((1, 2),))]
    ids, lengths, token_row, token_position, trained = (part.tolist() for part in _laid_out(rows, 9))
    assert (ids, lengths) == ([[1, 2, 5], [3, 4, 9]], [3, 2])
    assert (token_row, token_position, trained) == ([0, 0, 1], [1, 2, 1], [2, 1])


def test_numbers_are_rounded_as_torch_rounds_them_and_what_is_not_known_stays_so() -> None:
    entries = _flat([[0.1, -1e-30], [None], [1 / 3]])
    table = _table(np.array([[True, True, True], [True, False, False]]), entries, math.nan)
    wanted = torch.tensor([[0.1, -1e-30, math.nan], [1 / 3, math.nan, math.nan]], dtype=torch.float32)
    assert torch.equal(table.nan_to_num(7.0), wanted.nan_to_num(7.0))
    assert _table(np.zeros((2, 2), dtype=bool), _flat([[], []])).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def an_episode(turns: list[tuple[str, bool]]) -> Episode:
    made = [
        Turn(
            seat=seat, observation=(), text="x", completion_ids=(1,) if spoke else (), logprobs=(-0.5,) if spoke else ()
        )
        for seat, spoke in turns
    ]
    seats = {"a": "policy", "b": "policy", "c": "other"}
    return Episode(id="e", env_id="Game", seats=seats, turns=tuple(made), returns=dict.fromkeys(seats, 0.0))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=6),
    st.dictionaries(st.sampled_from("abc"), st.none() | st.floats(-2, 2)),
)
def test_without_a_discount_every_trained_turn_has_the_value_of_its_seat(
    turns: list[tuple[str, bool]], per_seat: dict[str, float | None]
) -> None:
    wanted: list[Advantage] = [per_seat.get(seat) if spoke and seat != "c" else None for seat, spoke in turns]
    assert spread_over_turns([an_episode(turns)], [per_seat], "policy") == [wanted]
    (discounted,) = spread_over_turns([an_episode(turns)], [per_seat], "policy", 1.0 - 1e-12)
    assert [value if value is None else pytest.approx(value) for value in wanted] == discounted


def test_a_turn_with_advantages_for_other_tokens_is_refused() -> None:
    sample = Sample()
    sample.add((1, 2), (3, 4, 5), (-0.1, -0.2, -0.3), (1.0, 2.0))
    with pytest.raises(ValueError, match="a turn of 3 tokens has one advantage or 3: got 2"):
        pack_samples([sample], pad_id=0)
