"""GiGPO: clusters of anchors, both levels by hand, penalties, and what it claims of constants and permutations."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.credit import CREDITS
from turnwise.algorithms.credit.anchors import clusters
from turnwise.algorithms.credit.gigpo import GiGPOSettings, credit, gigpo, steps_of

pytestmark = pytest.mark.filterwarnings("ignore:.*groups have one reward")

PLAIN = GiGPOSettings(gamma=0.5, invalid_action_penalty=0.0)


def levels(trajectories, settings):
    """(group, anchors, rewards[, invalid]) each."""
    steps = [
        step
        for index, (group, anchors, rewards, *rest) in enumerate(trajectories)
        for step in steps_of(index, group, anchors, rewards, rest[0] if rest else [False] * len(rewards), settings)
    ]
    return gigpo(steps, settings)


def test_two_trajectories_by_hand() -> None:
    # returns to go with gamma 1/2: a (1/2, 1), b (0, 0); the state s is shared, x and y are not
    got = levels([("g", "sx", [0.0, 1.0]), ("g", "sy", [0.0, 0.0])], PLAIN)
    assert got.episode.tolist() == [0.5, 0.5, -0.5, -0.5]
    assert got.step.tolist() == [0.25, 0.0, -0.25, 0.0]
    assert got.total.tolist() == [0.75, 0.5, -0.75, -0.5]


def test_long_trajectories_weigh_more_unless_each_counts_once() -> None:
    trajectories = [("g", [None], [4.0]), ("g", [None] * 3, [0.0] * 3)]
    assert levels(trajectories, PLAIN).total.tolist() == [3.0, -1.0, -1.0, -1.0]  # mean 4 / 4
    once = dataclasses.replace(PLAIN, episode_stats="per_trajectory")
    assert levels(trajectories, once).total.tolist() == [2.0, -2.0, -2.0, -2.0]  # mean 4 / 2


def test_division_by_hand() -> None:
    # scores 0 and 2: sample std sqrt(2); alone in its state: deviation 1
    settings = dataclasses.replace(PLAIN, mode="mean_std_norm", eps=0.0)
    got = levels([("g", "s", [0.0]), ("g", "t", [2.0])], settings)
    assert got.episode == pytest.approx([-(0.5**0.5), 0.5**0.5])
    assert got.step.tolist() == [0.0, 0.0]
    one_more = dataclasses.replace(PLAIN, eps=1.0, plain_eps=True)
    assert levels([("g", "s", [0.0]), ("g", "t", [2.0])], one_more).episode.tolist() == [-0.5, 0.5]


def test_a_penalty_stays_where_it_was_earned() -> None:
    settings = dataclasses.replace(PLAIN, invalid_action_penalty=0.5)
    fined = [("g", "st", [0.0, 1.0], [False, True]), ("g", "su", [0.0, 1.0])]
    got = levels(fined, settings)
    # scores 1, 1/2, 1, 1 with mean 7/8; the step before the fined one still returns 1/2 like its neighbour in s
    assert got.episode.tolist() == [0.125, -0.375, 0.125, 0.125]
    assert got.step.tolist() == [0.0, 0.0, 0.0, 0.0]
    # one score a trajectory: that of its first step; both are 1, so that only the fined step moves
    once = levels(fined, dataclasses.replace(settings, episode_stats="per_trajectory"))
    assert once.episode.tolist() == [0.0, -0.5, 0.0, 0.0]


def test_groups_of_one() -> None:
    lonely = [("g", "s", [3.0])]
    with pytest.warns(UserWarning, match="1 of 1 groups have one reward"):
        assert levels(lonely, PLAIN).total.tolist() == [0.0]
    assert levels(lonely, dataclasses.replace(PLAIN, singleton="raw")).total.tolist() == [3.0]
    halved = dataclasses.replace(PLAIN, singleton="raw", mode="mean_std_norm", eps=1.0)
    assert levels(lonely, halved).total.tolist() == [1.5]
    with pytest.raises(ValueError, match="groups of one"):
        levels(lonely, dataclasses.replace(PLAIN, singleton="error"))
    # one trajectory of two steps is a group of one only where trajectories are counted
    both = [("g", "st", [0.0, 3.0])]
    raw = dataclasses.replace(PLAIN, singleton="raw")
    assert levels(both, raw).episode.tolist() == [0.0, 0.0]
    assert levels(both, dataclasses.replace(raw, episode_stats="per_trajectory")).episode.tolist() == [3.0, 3.0]
    assert levels([], PLAIN).total.tolist() == []


def test_clusters() -> None:
    assert clusters("ggh", ["s", "s", "s"]).tolist() == [0, 0, 1]
    assert clusters("ggg", ["s", None, None]).tolist() == [0, 1, 2]
    assert clusters("", []).tolist() == []
    # abcd and abcx share 3 of 4 letters (ratio 3/4), abxx and abcx too, abxx and abcd only 2: not the first member's
    assert clusters("gggg", ["abcd", "abcx", "abxx", "abcx"], similarity=0.75).tolist() == [0, 0, 1, 0]
    assert clusters("gh", ["abcd", "abcx"], similarity=0.5).tolist() == [0, 1]
    assert clusters("gg", [None, None], similarity=0.5).tolist() == [0, 1]


@given(st.lists(st.tuples(st.sampled_from("gh"), st.text(alphabet="ab", min_size=1, max_size=3)), max_size=12))
def test_only_equal_anchors_are_fully_similar(rows) -> None:
    scopes, anchors = [scope for scope, _ in rows], [anchor for _, anchor in rows]
    assert clusters(scopes, anchors, similarity=1.0).tolist() == clusters(scopes, anchors).tolist()


rewards = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 0.1, 1e6]))
drawn = st.lists(
    st.tuples(
        st.sampled_from("gh"),
        st.lists(st.tuples(st.sampled_from(["s", "t", None]), rewards, st.booleans()), min_size=1, max_size=4),
    ).map(lambda row: (row[0], *(list(column) for column in zip(*row[1], strict=True)))),
    min_size=1,
    max_size=6,
)
any_settings = st.builds(
    GiGPOSettings,
    mode=st.sampled_from(["mean_norm", "mean_std_norm"]),
    episode_stats=st.sampled_from(["per_step_row", "per_trajectory"]),
    anchor_scope=st.sampled_from(["group", "batch"]),
    anchor_similarity=st.sampled_from([None, 0.9]),
    singleton=st.sampled_from(["zero", "raw"]),
    eps=st.sampled_from([0.0, 1e-6]),
)


@given(drawn, any_settings)
def test_never_nan(trajectories, settings) -> None:
    for column in levels(trajectories, settings):
        assert np.isfinite(column).all()


@given(drawn, any_settings, st.randoms(use_true_random=False))
def test_a_permutation_of_episodes_permutes_the_result(trajectories, settings, random) -> None:
    order = list(range(len(trajectories)))
    random.shuffle(order)
    plain = split(levels(trajectories, settings).total, trajectories)
    moved = [trajectories[index] for index in order]
    for index, row in zip(order, split(levels(moved, settings).total, moved), strict=True):
        assert row == pytest.approx(plain[index], rel=1e-5, abs=1e-3)


def split(values, trajectories):
    return np.split(values, np.cumsum([len(trajectory[1]) for trajectory in trajectories])[:-1])


@given(
    st.lists(st.lists(st.integers(-5, 5), min_size=1, max_size=3), min_size=2, max_size=5),
    st.integers(-50, 50),
    st.sampled_from(["per_step_row", "per_trajectory"]),
)
def test_a_constant_added_to_every_return_changes_nothing_without_discount(rows, shift, stats) -> None:
    settings = dataclasses.replace(PLAIN, gamma=1.0, episode_stats=stats)

    def total(extra):
        moved = [("g", "sss"[: len(row)], [*row[:-1], row[-1] + extra]) for row in rows]
        return levels(moved, settings).total

    assert total(shift) == pytest.approx(total(0), abs=1e-9)


@given(st.floats(-1e6, 1e6), st.lists(st.integers(1, 4), min_size=2, max_size=5), any_settings)
def test_equal_returns_are_worth_exactly_zero_at_the_episode_level(reward, lengths, settings) -> None:
    trajectories = [("g", [None] * length, [0.0] * (length - 1) + [reward]) for length in lengths]
    assert set(levels(trajectories, settings).episode.tolist()) == {0.0}
    assert set(levels(trajectories, settings).step.tolist()) == {0.0}


# Episodes.


def test_episodes_by_hand(episode) -> None:
    games = [
        with_anchors(episode("010", {"0": 1.0, "1": 0.0}, rewards=(0.0, 0.0, 1.0), group="g"), "s", "o", "x"),
        with_anchors(episode("01", {"0": 0.0, "1": 0.0}, group="g"), "s", "o"),
    ]
    table, state, targets, metrics = credit(games, {}, PLAIN)
    # seat 0: scores 1, 1, 0 with mean 2/3; in s the returns are 1/2 and 0. Seat 1: nothing happened
    assert table[0] == pytest.approx([1 / 3 + 0.25, 0.0, 1 / 3])
    assert table[1] == pytest.approx([-2 / 3 - 0.25, 0.0])
    assert (state, targets) == ({}, None)
    assert metrics["anchors_alone"] == 0.2  # x, of five


def test_turns_without_tokens_enter_no_statistic_but_earn(episode) -> None:
    games = [
        with_anchors(episode("00", {"0": 1.0}, rewards=(0.0, 1.0), group="g", silent=(1,)), "s", "s"),
        with_anchors(episode("0", {"0": 0.0}, group="g"), "s"),
    ]
    assert credit(games, {}, PLAIN).advantages == [[0.5 + 0.25, None], [-0.5 - 0.25]]


def test_an_invalid_reply_is_fined(episode) -> None:
    games = [episode("0", {"0": 0.0}, group="g"), episode("0", {"0": 0.0}, group="g")]
    bad = dataclasses.replace(games[0].turns[0], status="illegal")
    games[0] = dataclasses.replace(games[0], turns=(bad,))
    fined = dataclasses.replace(PLAIN, invalid_action_penalty=0.5)
    assert credit(games, {}, fined).advantages == [[-0.25], [0.25]]


def test_needs_and_refusals(episode) -> None:
    assert CREDITS["gigpo"].needs_with(PLAIN) == ("groups", "anchor")
    with pytest.raises(ValueError, match="episode 'lonely' has no group"):
        credit([episode("0", {"0": 1.0}, id="lonely")], {}, PLAIN)
    for wrong in ({"mode": "std"}, {"episode_stats": "row"}, {"anchor_similarity": 0.0}, {"eps": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            GiGPOSettings(**wrong)


def with_anchors(game, *anchors):
    turns = tuple(dataclasses.replace(turn, anchor=key) for turn, key in zip(game.turns, anchors, strict=True))
    return dataclasses.replace(game, turns=turns)
