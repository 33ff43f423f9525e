"""Group-relative and leave-one-out advantages, dynamic sampling, overlong penalty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.credit import grpo, rloo
from turnwise.algorithms.credit.groups import keep_mixed_groups
from turnwise.algorithms.credit.grpo import GRPOSettings, group_advantages
from turnwise.algorithms.credit.overlong import overlong_penalty
from turnwise.algorithms.credit.rloo import RLOOSettings, leave_one_out

pytestmark = pytest.mark.filterwarnings("ignore:.*groups have one reward")


def test_group_advantages_by_hand() -> None:
    # mean 2, population std 1, sample std sqrt(2)
    assert group_advantages([1.0, 3.0], "aa", ddof=0, eps=0.0).tolist() == [-1.0, 1.0]
    assert group_advantages([1.0, 3.0], "aa", ddof=0, eps=1.0).tolist() == [-0.5, 0.5]
    assert group_advantages([1.0, 3.0], "aa", ddof=1, eps=0.0) == pytest.approx([-(0.5**0.5), 0.5**0.5])
    assert group_advantages([1.0, 3.0], "aa", scale="none").tolist() == [-1.0, 1.0]


def test_scopes_by_hand() -> None:
    rewards, group = [0.0, 2.0, 4.0, 6.0], "aabb"
    # batch mean 3, squares 9 + 1 + 1 + 9 = 20, population std sqrt(5)
    assert group_advantages(rewards, group, centre="batch", scale="none").tolist() == [-3.0, -1.0, 1.0, 3.0]
    assert group_advantages(rewards, group, centre="none", scale="none").tolist() == rewards
    by_batch = group_advantages(rewards, group, scale="batch", ddof=0, eps=0.0)
    assert by_batch == pytest.approx([-(0.2**0.5), 0.2**0.5, -(0.2**0.5), 0.2**0.5])


def test_groups_of_one() -> None:
    rewards, group = [5.0, 1.0, 3.0], "abb"
    raw = group_advantages(rewards, group, ddof=0, eps=1.0, singleton="raw")
    assert raw.tolist() == [2.5, -0.5, 0.5]  # 5 / (1 + eps)
    assert leave_one_out(rewards, group, singleton="raw").tolist() == [5.0, -2.0, 2.0]
    with pytest.warns(UserWarning, match="1 of 2 groups have one reward: advantage 0"):
        assert leave_one_out(rewards, group).tolist() == [0.0, -2.0, 2.0]
    with pytest.warns(UserWarning, match="1 of 2 groups"):
        assert group_advantages(rewards, group, ddof=0, eps=1.0).tolist() == [0.0, -0.5, 0.5]
    for estimate in (group_advantages, leave_one_out):
        with pytest.raises(ValueError, match="a group needs two rewards or more: got 1 groups of one"):
            estimate(rewards, group, singleton="error")


def test_leave_one_out_by_hand() -> None:
    assert leave_one_out([1.0, 2.0, 6.0], "aaa").tolist() == [-3.0, -1.5, 4.5]


def test_empty_batch() -> None:
    assert group_advantages([], "").tolist() == leave_one_out([], "").tolist() == []


rewards_and_groups = st.lists(st.tuples(st.floats(-1e6, 1e6), st.sampled_from("abc")), min_size=1, max_size=20).map(
    lambda rows: ([reward for reward, _ in rows], [name for _, name in rows])
)
estimators = st.sampled_from(
    [
        leave_one_out,
        group_advantages,
        lambda rewards, group: group_advantages(rewards, group, scale="none"),
        lambda rewards, group: group_advantages(rewards, group, scale="batch", ddof=0, eps=1e-8),
    ]
)


@given(rewards_and_groups, estimators)
def test_never_nan_and_zero_mean_in_every_group(rows, estimate) -> None:
    rewards, group = rows
    advantages = estimate(rewards, group)
    assert np.isfinite(advantages).all()
    for name in set(group):
        members = [value for value, other in zip(advantages, group, strict=True) if other == name]
        assert sum(members) == pytest.approx(0.0, abs=1e-6)


@given(rewards_and_groups, estimators, st.randoms(use_true_random=False))
def test_a_permutation_of_the_batch_permutes_the_result(rows, estimate, random) -> None:
    rewards, group = rows
    order = list(range(len(rewards)))
    random.shuffle(order)
    moved = estimate([rewards[i] for i in order], [group[i] for i in order])
    assert moved == pytest.approx(estimate(rewards, group)[order], rel=1e-6, abs=1e-6)


# Whole numbers: the shift itself must not round, or nearly equal rewards would stop being nearly equal.
@given(st.lists(st.integers(-100, 100), min_size=2, max_size=12), st.integers(-1000, 1000), estimators)
def test_a_constant_added_to_a_group_changes_nothing(rewards, shift, estimate) -> None:
    group = ["a"] * len(rewards)
    assert estimate([reward + shift for reward in rewards], group) == pytest.approx(estimate(rewards, group), abs=1e-9)


@given(st.floats(-1e6, 1e6), st.integers(1, 9), estimators)
def test_equal_rewards_give_exactly_zero(reward, size, estimate) -> None:
    assert estimate([reward] * size, ["a"] * size).tolist() == [0.0] * size


def test_equal_rewards_give_zero_without_eps() -> None:
    assert group_advantages([0.3] * 7, "a" * 7, eps=0.0).tolist() == [0.0] * 7


def test_groups_do_not_see_each_other() -> None:
    alone = leave_one_out([1.0, 2.0], "aa").tolist()
    assert leave_one_out([1.0, 1e6, 2.0, -1e6], "abab").tolist()[::2] == alone


def test_keep_mixed_groups() -> None:
    assert keep_mixed_groups([[1.0, 1.0], [0.0, 1.0], [0.5], [0.0, -0.0], [1.0, 1.0 + 1e-15]]) == [
        False,
        True,
        False,
        False,
        True,
    ]


def test_overlong_penalty_by_hand() -> None:
    assert overlong_penalty([0, 6, 7, 8, 10, 11], max_length=10, cache=4).tolist() == [0, 0, -0.25, -0.5, -1, -1]
    assert overlong_penalty([9, 10, 11], max_length=10, cache=0).tolist() == [0.0, 0.0, -1.0]
    with pytest.raises(ValueError, match=r"cache is a finite number in \[0, 10\]: got 11"):
        overlong_penalty([1], max_length=10, cache=11)


# Episodes.


def test_seats_of_a_group_are_compared_apart(episode) -> None:
    games = [
        episode("010", {"0": 1.0, "1": -1.0}, group="g"),
        episode("01", {"0": 0.0, "1": -3.0}, group="g"),
        episode("01", {"0": 9.0, "1": 9.0}, group="h"),
        episode("01", {"0": 7.0, "1": 9.0}, group="h"),
    ]
    table, state, *_ = rloo.credit(games, {}, RLOOSettings())
    assert table == [[1.0, 2.0, 1.0], [-1.0, -2.0], [2.0, 0.0], [-2.0, 0.0]]
    assert state == {}
    half = GRPOSettings(scale="none")
    assert grpo.credit(games, {}, half)[0] == [[0.5, 1.0, 0.5], [-0.5, -1.0], [1.0, 0.0], [-1.0, 0.0]]


def test_groups_with_equal_returns_can_be_dropped(episode) -> None:
    games = [episode("01", {"0": reward, "1": 0.0}, group="g") for reward in (0.0, 2.0)]
    table, *_ = grpo.credit(games, {}, GRPOSettings(scale="none", keep_equal=False))
    assert table == [[-1.0, None], [1.0, None]]


def test_only_the_learners_seats_enter_the_statistics(episode) -> None:
    fixed = {"1": "random"}
    games = [
        episode("01", {"0": 1.0, "1": -1.0}, agents=fixed, group="g"),
        episode("", {"0": 3.0, "1": -1.0}, agents=fixed, group="g"),  # the seat is the learner's and never spoke
        episode("01", {"0": 0.0, "1": 0.0}, agents=fixed, group="g", status="timeout"),
    ]
    assert rloo.credit(games, {}, RLOOSettings(singleton="error"))[0] == [[-2.0, None], [], [None, None]]


def test_an_episode_without_a_group_is_refused(episode) -> None:
    for method, settings in ((grpo, GRPOSettings()), (rloo, RLOOSettings())):
        with pytest.raises(ValueError, match="episode 'lonely' has no group; collect several episodes per task"):
            method.credit([episode("0", {"0": 1.0}, id="lonely")], {}, settings)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"scale": "std"}, "scale is one of group, batch, none: got 'std'"),
        ({"centre": "grupo"}, "did you mean 'group'"),
        ({"ddof": 2}, "ddof is 0"),
        ({"eps": -1.0}, "eps"),
        ({"singleton": "rw"}, "did you mean 'raw'"),
    ],
)
def test_impossible_settings_are_refused(wrong, message) -> None:
    with pytest.raises(ValueError, match=message):
        GRPOSettings(**wrong)
    with pytest.raises(ValueError, match=message):
        group_advantages([1.0, 2.0], "aa", **wrong)


@pytest.mark.parametrize("rewards", [[1.0, float("nan")], [float("inf"), 1.0], [[1.0], [2.0]]])
def test_rewards_must_be_finite_and_flat(rewards) -> None:
    with pytest.raises(ValueError, match="flat row of finite numbers"):
        leave_one_out(rewards, "aa")


def test_rewards_and_names_must_line_up() -> None:
    with pytest.raises(ValueError, match="got 1 names for 2 rewards"):
        leave_one_out([1.0, 2.0], "a")
