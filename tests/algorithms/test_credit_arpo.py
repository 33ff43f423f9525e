"""Forked rollouts: who shares what, soft and hard attribution, and AEPO's entropy-aware advantage."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.credit import grpo
from turnwise.algorithms.credit.arpo import ARPOSettings, credit, segment_advantages
from turnwise.algorithms.credit.grpo import GRPOSettings
from turnwise.algorithms.credit.lineage import Segment, segment_paths, told_once, trainers
from turnwise.algorithms.shaping.entropy_aware import EntropyAwareSettings, entropy_weights, shape

HARD = ARPOSettings(attribution="hard")
# Returns 4, 0 and 2 have mean 2 and sample standard deviation 2.
UNIT = {"eps": 0.0}


@pytest.fixture
def family(episode):
    """A parent of three turns, a fork of it from turn 1 and a fork of that from turn 2: returns 4, 0 and 2."""

    def build(**of_parent):
        def one(id, value, **fields):
            return episode("000", {"0": value}, id=id, group="g", **fields)

        return [
            one("a", 4.0, **of_parent),
            one("b", 0.0, parent="a", fork_turn=1),
            one("c", 2.0, parent="b", fork_turn=2),
        ]

    return build


def test_segments_by_hand(family) -> None:
    shared, of_b = Segment(0, (0, 0), (1, 0)), Segment(1, (1, 0), (2, 0))
    assert segment_paths(family()) == [
        [shared, Segment(0, (1, 0), (3, 0))],
        [shared, of_b, Segment(1, (2, 0), (3, 0))],
        [shared, of_b, Segment(2, (2, 0), (3, 0))],
    ]


def test_a_fork_before_its_parents_own_beginning_is_the_grandparents(family) -> None:
    games = family()
    games[2] = dataclasses.replace(games[2], fork_turn=1)
    shared = Segment(0, (0, 0), (1, 0))
    assert segment_paths(games)[2] == [shared, Segment(2, (1, 0), (3, 0))]
    games[2] = dataclasses.replace(games[2], fork_turn=0)
    assert segment_paths(games)[2] == [Segment(2, (0, 0), (3, 0))]


def test_a_fork_may_leave_inside_a_reply(episode) -> None:
    games = [
        episode("00", {"0": 4.0}, id="a", group="g"),
        episode("00", {"0": 0.0}, id="b", group="g", parent="a", fork_turn=0, metadata={"fork_token": 1}),
    ]
    shared = Segment(0, (0, 0), (0, 1))
    paths = segment_paths(games)
    assert paths == [[shared, Segment(0, (0, 1), (2, 0))], [shared, Segment(1, (0, 1), (2, 0))]]
    # Both returns stand sqrt(1/2) from their mean; the shared token gets the mean of both, in the parent.
    half = 0.5**0.5
    (first, second), (own, last) = credit(games, {}, dataclasses.replace(HARD, eps=0.0))[0]
    assert (first, second) == (pytest.approx((0.0, half)), pytest.approx(half))
    assert (own, last) == (pytest.approx((0.0, -half)), pytest.approx(-half))


def test_hard_attribution_by_hand(family) -> None:
    # a: +1, b: -1, c: 0. All share turn 0: 0. b and c share turn 1: -1/2.
    hard = dataclasses.replace(HARD, eps=0.0)
    assert credit(family(), {}, hard)[0] == [[0.0, 1.0, 1.0], [None, -0.5, -1.0], [None, None, 0.0]]
    weighted = dataclasses.replace(hard, weight_by_paths=True)
    assert credit(family(), {}, weighted)[0] == [[0.0, 1.0, 1.0], [None, -1.0, -1.0], [None, None, 0.0]]


def test_soft_attribution_is_grpo(family) -> None:
    assert credit(family(), {}, ARPOSettings(eps=0.0))[0] == [[1.0] * 3, [-1.0] * 3, [0.0] * 3]
    assert credit(family(), {}, ARPOSettings())[0] == grpo.credit(family(), {}, GRPOSettings())[0]


@given(returns=st.lists(st.floats(-5, 5), min_size=3, max_size=3))
def test_weighted_by_paths_hard_sums_to_soft(returns, episode) -> None:
    games = [
        episode("000", {"0": value}, id=name, group="g", **fields)
        for name, value, fields in zip(
            "abc", returns, ({}, {"parent": "a", "fork_turn": 1}, {"parent": "b", "fork_turn": 2}), strict=True
        )
    ]
    soft = credit(games, {}, ARPOSettings())[0]
    hard = credit(games, {}, dataclasses.replace(HARD, weight_by_paths=True))[0]
    for turn in range(3):
        total = sum(row[turn] for row in soft)
        assert sum(row[turn] or 0.0 for row in hard) == pytest.approx(total, abs=1e-9)


def test_what_a_crashed_parent_sampled_is_trained_in_a_fork(family) -> None:
    games = family(status="env_error")
    # b and c alone: mean 1, sample standard deviation sqrt(2).
    half = 0.5**0.5
    (parent, b, c), *_ = credit(games, {}, dataclasses.replace(HARD, eps=0.0))
    assert parent == [None] * 3
    assert b == pytest.approx([0.0, 0.0, -half])
    assert c[:2] == [None, None]
    assert c[2] == pytest.approx(half)
    assert trainers(games, segment_paths(games))[Segment(0, (0, 0), (1, 0))] == 1


def test_seats_are_shared_apart(episode) -> None:
    def one(id, value, **fields):
        return episode("0101", {"0": value, "1": -value}, id=id, group="g", **fields)

    games = [one("a", 1.0), one("b", -1.0, parent="a", fork_turn=2)]
    half = 0.5**0.5
    first, second = credit(games, {}, dataclasses.replace(HARD, eps=0.0))[0]
    assert first == pytest.approx([0.0, 0.0, half, -half])
    assert second[:2] == [None, None]
    assert second[2:] == pytest.approx([-half, half])
    fixed = [dataclasses.replace(game, seats={"0": "policy", "1": "random"}) for game in games]
    assert credit(fixed, {}, HARD)[0][0][1::2] == [None, None]


def test_segment_advantages_by_hand() -> None:
    paths = [("s", "a"), ("s", "b"), ("t",)]
    assert segment_advantages([2.0, -1.0, 5.0], paths) == {"s": 0.5, "a": 2.0, "b": -1.0, "t": 5.0}
    assert segment_advantages([2.0, -1.0, 5.0], paths, weight_by_paths=True)["s"] == 1.0


def test_impossible_families_are_refused(family) -> None:
    a, b, c = family()
    with pytest.raises(ValueError, match="got 0 episodes 'a', which 'b' was forked from"):
        credit([b, c], {}, HARD)
    with pytest.raises(ValueError, match="got 2 episodes 'a'"):
        credit([a, a, b], {}, HARD)
    with pytest.raises(ValueError, match="'b' says turn 4, token 0, and episode 'b' has 3 turns"):
        credit([a, dataclasses.replace(b, fork_turn=4)], {}, HARD)
    with pytest.raises(ValueError, match=r"'b' says turn 1, token 3, and episode 'b' has 3 turns and 2 tokens there"):
        credit([a, dataclasses.replace(b, metadata={"fork_token": 3})], {}, HARD)
    with pytest.raises(ValueError, match="'b' says turn 1, token 0, and episode 'a' has 0 turns"):
        credit([dataclasses.replace(a, turns=()), b], {}, HARD)
    with pytest.raises(ValueError, match="no episode is forked from itself"):
        credit([dataclasses.replace(a, parent="b", fork_turn=1), b], {}, HARD)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"attribution": "herd"}, "did you mean 'hard'"),
        ({"weight_by_paths": True}, "weight_by_paths belongs to attribution hard: got 'soft'"),
        ({"ddof": 2}, "ddof is 0"),
        ({"singleton": "one"}, "singleton is one of"),
    ],
)
def test_impossible_settings_are_refused(wrong, message) -> None:
    with pytest.raises(ValueError, match=message):
        ARPOSettings(**wrong)


def test_told_once_fills_turns_by_segment(episode) -> None:
    games = [episode("010", {"0": 1.0, "1": 0.0}, silent=(2,))]
    segment = Segment(0, (0, 1), (3, 0))
    (row,) = told_once(games, [(0, segment, {"0": 2.0})], "policy")
    assert row[0] == pytest.approx((np.nan, 2.0), nan_ok=True)
    assert row[1:] == [None, None]


# AEPO: entropy-aware advantages.


def test_entropy_weights_by_hand() -> None:
    # Mean 2, sample standard deviation sqrt(((-1)^2 + 1^2) / 1) = sqrt(2); the third token is not trained.
    weights = entropy_weights(np.array([1.0, 3.0, 9.0]), np.array([True, True, False]), alpha=0.2)
    assert weights == pytest.approx([1 - 0.2 * 0.5**0.5, 1 + 0.2 * 0.5**0.5, 1.0])


@given(st.floats(0, 1e6), st.integers(0, 5))
def test_equal_entropies_change_nothing(entropy, count) -> None:
    assert entropy_weights(np.full(count, entropy), np.ones(count, dtype=bool), 0.2).tolist() == [1.0] * count


def test_shaping_spreads_a_turns_advantage_over_its_tokens(episode) -> None:
    game = episode("00", {"0": 1.0})
    turns = [
        dataclasses.replace(turn, token_entropy=entropy)
        for turn, entropy in zip(game.turns, ((1.0, 3.0), (9.0, 9.0)), strict=True)
    ]
    game = dataclasses.replace(game, turns=tuple(turns))
    low, high = 1 - 0.2 * 0.5**0.5, 1 + 0.2 * 0.5**0.5
    (row,), figures = shape([game], [[10.0, None]], EntropyAwareSettings())
    assert (row[0], row[1]) == (pytest.approx((10 * low, 10 * high)), None)
    assert figures == {"entropy_weight_min": pytest.approx(low), "entropy_weight_max": pytest.approx(high)}
    assert shape([game], [[(10.0, -10.0), None]], EntropyAwareSettings())[0][0][0] == pytest.approx(
        (10 * low, -10 * high)
    )
    assert shape([], [], EntropyAwareSettings()) == ([], {})


def test_shaping_is_never_silently_off(episode) -> None:
    with pytest.raises(ValueError, match="needs token_entropy"):
        shape([episode("0", {"0": 1.0})], [[1.0]], EntropyAwareSettings())
    with pytest.raises(ValueError, match="alpha"):
        EntropyAwareSettings(alpha=0.0)
