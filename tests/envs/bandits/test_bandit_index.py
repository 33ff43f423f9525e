"""The mathematics of bandits, by hand; the golden file is run by the tests of the algorithms."""

from __future__ import annotations

from math import inf, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.bandits.index import hardness, linucb_index, regret, ucb_index


def test_ucb_by_hand() -> None:
    # e ** 2 pulls would make the logarithm 2; with 4 pulls of 8: sqrt(ln 8 / 2 / 4) = sqrt(ln 8 / 8)
    index = ucb_index([3, 1, 0, 0], [4, 4, 0, 0])
    assert index.exploit.tolist() == [0.75, 0.25, 0.0, 0.0]
    assert index.bonus.tolist() == pytest.approx([sqrt(log(8) / 8), sqrt(log(8) / 8), inf, inf])
    assert index.total[0] == pytest.approx(0.75 + sqrt(log(8) / 8))
    assert ucb_index([0, 0], [0, 0]).total.tolist() == [inf, inf]
    assert ucb_index([1.0], [1]).bonus.tolist() == [0.0]  # ln 1
    assert ucb_index([3, 1], [4, 4], alpha=2).bonus.tolist() == pytest.approx([2 * sqrt(log(8) / 8)] * 2)


def test_linucb_by_hand() -> None:
    # one pull at (1, 0) that paid 1: A = diag(2, 1), theta = (1/2, 0); at (1, 1): x' A^-1 x = 3/2
    index = linucb_index([[1, 0]], [1], [1, 1], alpha=0.5)
    assert index.theta.tolist() == [0.5, 0.0]
    assert index.exploit == 0.5
    assert index.bonus == pytest.approx(0.5 * sqrt(1.5))
    # nothing pulled: theta 0, and the bonus is alpha times the length of the context
    fresh = linucb_index([], [], [3.0, 4.0])
    assert (fresh.exploit, fresh.bonus) == (0.0, 2.5)


def test_regret_by_hand() -> None:
    lost = regret([0.25, 0.75], [0, 1, 0])
    assert lost.instant.tolist() == [0.5, 0.0, 0.5]
    assert lost.cumulative.tolist() == [0.5, 0.5, 1.0]
    assert regret([[0.25, 0.75], [1.0, 0.5]], [1, 1]).cumulative.tolist() == [0.0, 0.5]
    assert regret([0.5, 1.0], []).cumulative.tolist() == []


def test_hardness_by_hand() -> None:
    assert hardness((1.0, 1.0), (0.0, 1.0)) == 0.5
    assert hardness((0.0, 1.0), (0.0, 2.0)) == pytest.approx(log(2) + 1 / 8 - 1 / 2)
    assert hardness((5.0, 3.0), (5.0, 3.0)) == 0.0
    with pytest.raises(ValueError, match="positive: got 0 and 1"):
        hardness((0.0, 0), (1.0, 1))


@given(
    means=st.lists(st.floats(-5, 5), min_size=2, max_size=6),
    picks=st.lists(st.integers(0, 100), min_size=1, max_size=30),
)
def test_regret_never_falls_and_the_best_arm_has_none(means: list[float], picks: list[int]) -> None:
    actions = [pick % len(means) for pick in picks]
    lost = regret(means, actions)
    assert (lost.instant >= 0).all()
    assert (np.diff(lost.cumulative) >= 0).all()
    assert regret(means, [int(np.argmax(means))] * len(actions)).cumulative[-1] == 0.0


@given(counts=st.lists(st.integers(1, 50), min_size=2, max_size=5))
def test_the_bonus_is_the_smaller_the_more_often_an_arm_was_pulled(counts: list[int]) -> None:
    bonus = ucb_index([0] * len(counts), counts).bonus
    order = np.argsort(counts, kind="stable")
    assert (np.diff(bonus[order]) <= 0).all()
