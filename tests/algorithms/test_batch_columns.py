"""Rows of different lengths as one tensor, and the credit of turns that are not discounted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.batch import _table
from turnwise.algorithms.credit.episodes import Advantage, spread_over_turns
from turnwise.records import Episode, Turn


def test_rows_stand_on_the_left_and_padding_behind_them() -> None:
    table = _table([(1, 2), (), (3,)], 3, 9, np.int64)
    assert table.dtype == torch.int64
    assert table.tolist() == [[1, 2, 9], [9, 9, 9], [3, 9, 9]]


def test_numbers_are_rounded_as_torch_rounds_them_and_what_is_not_known_stays_so() -> None:
    rows = [[0.1, -1e-30, math.nan], [1 / 3]]
    table = _table(rows, 3, math.nan, np.float32)
    wanted = torch.tensor([rows[0], [1 / 3, math.nan, math.nan]], dtype=torch.float32)
    assert torch.equal(table.nan_to_num(7.0), wanted.nan_to_num(7.0))
    assert _table([[], []], 2, 0.0, np.float32).tolist() == [[0.0, 0.0], [0.0, 0.0]]


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
    assert spread_over_turns(an_episode(turns), per_seat, "policy") == wanted
    discounted = spread_over_turns(an_episode(turns), per_seat, "policy", 1.0 - 1e-12)
    assert [value if value is None else pytest.approx(value) for value in wanted] == discounted
