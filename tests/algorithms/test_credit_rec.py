"""Baselines of TOPR, OPMD, AsymRE and RED-Drop."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.credit import CREDITS
from turnwise.algorithms.credit.rec import OPMDSettings, less_baseline, without_surplus
from turnwise.algorithms.credit.topr import TOPRSettings, effective_positive_share, expected_positive_share, shifted


def test_topr_shift_and_what_it_does_to_the_mix() -> None:
    advantages = shifted([1.0, -1.0, -1.0, -1.0], -0.5)
    assert advantages.tolist() == [1.5, -0.5, -0.5, -0.5]
    assert effective_positive_share(advantages) == 0.5
    assert expected_positive_share(0.25, -0.5) == 0.5
    assert effective_positive_share([0.0]) == 0.0
    with pytest.raises(ValueError, match="baseline is a finite number in"):
        expected_positive_share(0.5, 2.0)


@given(st.lists(st.sampled_from([1.0, -1.0]), min_size=1, max_size=9), st.floats(-0.9, 0.9))
def test_topr_share_is_the_formula(rewards, baseline) -> None:
    found = effective_positive_share(shifted(rewards, baseline))
    assert found == pytest.approx(expected_positive_share(rewards.count(1.0) / len(rewards), baseline))


def test_baselines_by_hand() -> None:
    group = ["a", "a", "b", "b"]
    rewards = [0.0, 1.0, 3.0, 3.0]
    assert less_baseline(rewards, group, OPMDSettings()).tolist() == [-0.5, 0.5, 0.0, 0.0]
    assert less_baseline(rewards, group, OPMDSettings(shift=-0.25)).tolist() == [-0.25, 0.75, 0.25, 0.25]
    # tau log mean exp(R / tau) with tau = 1 / ln 3: log_3((1 + 3) / 2) = log_3 2
    soft = less_baseline(rewards, group, OPMDSettings(baseline="logavgexp", tau=1.0 / math.log(3.0)))
    low = -math.log(2.0, 3.0)
    assert soft.tolist() == pytest.approx([low, 1.0 + low, 0.0, 0.0])
    assert less_baseline([5.0], ["a"], OPMDSettings(shift=1.0)).tolist() == [4.0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8), st.floats(0.01, 100.0))
def test_soft_maximum_lies_between_mean_and_maximum(rewards, tau) -> None:
    settings = OPMDSettings(baseline="logavgexp", tau=tau)
    baseline = rewards - less_baseline(rewards, [0] * len(rewards), settings)
    assert np.mean(rewards) - 1e-6 <= baseline.min() and baseline.max() <= max(rewards) + 1e-6


def test_surplus_failures_are_dropped() -> None:
    rewards = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0]
    group = ["a"] * 4 + ["b"] * 3
    keep = without_surplus(rewards, group, np.random.default_rng(0))
    assert keep[[0, 4, 5, 6]].all()
    assert keep[1:4].sum() == 1
    assert without_surplus([2.0, 2.0], ["a", "a"], np.random.default_rng(0)).all()


def test_red_drop_recomputes_the_mean_and_goes_on_where_it_stopped(episode) -> None:
    games = [episode("0", {"0": value}, group="g") for value in (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)]
    method, settings = CREDITS["opmd"], OPMDSettings(drop_surplus=True, seed=3)
    first = method.function(games, {}, settings)
    values = [row[0] for row in first.advantages]
    assert values[0] == 0.5 and sorted(value for value in values[1:] if value is not None) == [-0.5]
    assert first.metrics["dropped_share"] == pytest.approx(4 / 6)
    second = [method.function(games, dict(first.state), settings).advantages for _ in range(2)]
    assert second[0] == second[1]
    places = set()
    state = {}
    for _ in range(12):
        result = method.function(games, state, settings)
        state = result.state
        places |= {index for index, row in enumerate(result.advantages) if row[0] == -0.5}
    assert len(places) > 1, "another batch draws others"


def test_credit_reaches_the_learners_turns(episode) -> None:
    games = [
        episode("010", {"0": 1.0, "1": -1.0}, agents={"1": "random"}, group="g"),
        episode("0", {"0": -1.0, "1": 1.0}, agents={"1": "random"}, group="g"),
        episode("0", {"0": 9.0, "1": 9.0}, agents={"1": "random"}, group="g", status="env_error"),
    ]
    topr = CREDITS["topr"].function(games, {}, TOPRSettings(baseline=0.5))
    assert topr.advantages == [[0.5, None, 0.5], [-1.5], [None]]
    assert topr.metrics == {"effective_positive_share": 0.25}
    opmd = CREDITS["opmd"].function(games, {}, OPMDSettings())
    assert opmd.advantages == [[1.0, None, 1.0], [-1.0], [None]]
