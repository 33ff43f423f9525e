"""Segment advantages along a chain and in a tree, the probability mask and the whitening."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.credit import spo_chain, spo_tree
from turnwise.algorithms.credit.spo_chain import (
    SPOChainSettings,
    chain_advantages,
    cutpoints,
    monte_carlo_value,
    turn_cuts,
)
from turnwise.algorithms.credit.spo_tree import Node, SPOTreeSettings, edge_advantages, node_value
from turnwise.algorithms.credit.uncertain import loss_mask, whiten_uncertain, zero_certain
from turnwise.records import Episode

CHAIN = SPOChainSettings(prob_threshold=None, whiten=False)
TREE = SPOTreeSettings(prob_threshold=None, whiten=False, drop_zero=False)


# Chains of numbers.


def test_cutpoints_by_hand() -> None:
    probs = [0.5, 0.95, 0.9, 0.1, 0.2]  # exactly 0.9 is no cutpoint
    assert cutpoints(probs, 0.9) == [-1, 2, 3]
    assert cutpoints(probs, 0.9, interval=2) == [-1, 3]
    assert cutpoints([0.95], 0.9) == []
    with pytest.raises(ValueError, match="interval"):
        cutpoints(probs, 0.9, interval=0)


def test_turns_are_cut_where_a_cutpoint_falls() -> None:
    turns = [[0.95, 0.5], [0.99], [0.5, 0.5], [], [0.5]]
    assert turn_cuts(turns, 0.9) == [0, 2, 4]
    assert turn_cuts(turns, 0.9, interval=2) == [0, 2]
    assert turn_cuts([[0.95]], 0.9) == []


def test_chain_by_hand() -> None:
    # 1/2 -> 3/4 after step 1 -> 1 at the end.
    assert chain_advantages({-1: 0.5, 1: 0.75}, 4, 1.0) == [0.25, 0.25, 0.25, 0.25]
    assert chain_advantages({-1: 0.5, 0: 0.25}, 3, 1.0) == [-0.25, 0.75, 0.75]
    # The state before the first step was not valued: the first segment is worth nothing.
    assert chain_advantages({0: 0.25}, 3, 1.0) == [0.0, 0.75, 0.75]
    assert chain_advantages({}, 2, 1.0) == [0.0, 0.0]
    assert chain_advantages({}, 0, 1.0) == []
    with pytest.raises(ValueError, match=r"after steps -1 to 1: got \[2\]"):
        chain_advantages({2: 1.0}, 3, 1.0)


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=8), st.floats(-1e6, 1e6))
def test_segments_add_up_to_all_that_was_gained(values, final) -> None:
    valued = {index - 1: value for index, value in enumerate(values) if value is not None}
    advantages = chain_advantages({-1: 0.0} | valued, len(values), final)
    assert len(advantages) == len(values)
    ends = sorted({**valued, len(values) - 1: final}.keys() - {-1})
    assert sum(advantages[end] for end in ends) == pytest.approx(final - valued.get(-1, 0.0), abs=1e-6)


def test_values_by_playing_on() -> None:
    assert monte_carlo_value([1.0, 0.0, None, 1.0]) == 0.5
    with pytest.raises(ValueError, match="at least one play"):
        monte_carlo_value([])


def test_mask_and_whitening_by_hand() -> None:
    advantages, probs = np.array([1.0, 3.0, 7.0]), np.array([0.5, 0.5, 0.95])
    mask = np.ones(3, dtype=bool)
    assert zero_certain(advantages, np.array([0.9, 0.91, 0.5]), 0.9).tolist() == [1.0, 0.0, 7.0]
    assert loss_mask(np.array([0.9, 0.91, 0.5]), mask, 0.9).tolist() == [False, False, True]
    # Mean 2, sample variance 2 of the first two; the third is shifted and scaled all the same.
    root = math.sqrt(2 + 1e-8)
    assert whiten_uncertain(advantages, probs, mask, 0.9) == pytest.approx(np.array([-1, 1, 5]) / root)
    # One uncertain token: shifted only. None: all tokens of the mask count.
    assert whiten_uncertain(advantages, np.array([0.5, 0.95, 0.95]), mask, 0.9).tolist() == [0.0, 2.0, 6.0]
    certain = np.array([0.95, 0.95, 0.95])
    some = np.array([True, True, False])
    assert whiten_uncertain(advantages, certain, some, 0.9) == pytest.approx(np.array([-1, 1, 5]) / root)


# Chains of episodes.


def valued(game: Episode, *values: float | None, **fields) -> Episode:
    """The game with `value` before each turn; other fields of turns as tuples, one entry per turn."""
    columns = {"value": values, **fields}
    turns = tuple(
        dataclasses.replace(turn, **{name: column[index] for name, column in columns.items()})
        for index, turn in enumerate(game.turns)
    )
    return dataclasses.replace(game, turns=turns)


def test_turns_by_hand(episode) -> None:
    game = valued(episode("000", {"0": 1.0}, rewards=(0.0, 0.0, 1.0)), 0.5, None, 0.25)
    table, state, targets, metrics = spo_chain.credit([game], {}, CHAIN)
    assert (table, state, targets) == ([[-0.25, -0.25, 0.75]], {}, None)
    assert metrics == {"valued_states": 2.0}


def test_rewards_on_the_way_belong_to_their_segment(episode) -> None:
    # 1/2 to come; 2 on turn 0, then 1/4 to come; 1 in the end.
    game = valued(episode("000", {"0": 3.0}, rewards=(2.0, 0.0, 1.0)), 0.5, 0.25, None)
    assert spo_chain.credit([game], {}, CHAIN)[0] == [[1.75, 0.75, 0.75]]


def test_every_seat_has_its_own_chain(episode) -> None:
    game = valued(episode("0101", {"0": 1.0, "1": -1.0}, rewards=(0, 0, 1, -1)), 0.5, -0.5, 0.75, None)
    assert spo_chain.credit([game], {}, CHAIN)[0] == [[0.25, -0.5, 0.25, -0.5]]
    fixed = dataclasses.replace(game, seats={"0": "policy", "1": "random"})
    crashed = dataclasses.replace(game, status="env_error")
    assert spo_chain.credit([fixed, crashed], {}, CHAIN)[0] == [[0.25, None, 0.25, None], [None] * 4]


def test_tokens_by_hand(episode) -> None:
    tokens = dataclasses.replace(CHAIN, per="token")
    game = episode("00", {"0": 1.0}, rewards=(0.0, 1.0))
    within = valued(game, 0.5, None, token_values=((None, 0.75), (0.25, None)))
    assert spo_chain.credit([within], {}, tokens)[0] == [[(0.25, -0.5), (0.75, 0.75)]]
    # Annotated, and no token was uncertain: nothing is valued in this one.
    certain = valued(game, None, None, token_values=((None, None), (None, None)))
    assert spo_chain.credit([within, certain], {}, tokens)[0][1] == [(0.0, 0.0), (0.0, 0.0)]


def test_certain_tokens_get_nothing(episode) -> None:
    half, sure = math.log(0.5), math.log(0.95)
    game = valued(episode("0", {"0": 1.0}), 0.5, train_logprobs=((half, sure),))
    masked = SPOChainSettings(whiten=False)
    assert spo_chain.credit([game], {}, masked)[0] == [[(0.5, 0.0)]]
    other = valued(episode("0", {"0": 0.0}), 0.5, train_logprobs=((half, half),))
    # Uncertain tokens: 1/2, -1/2, -1/2; mean -1/6, sample variance 1/3.
    root = math.sqrt(1 / 3 + 1e-8)
    ((first,), (second,)), *_ = spo_chain.credit([game, other], {}, SPOChainSettings())
    assert first == pytest.approx((2 / 3 / root, 0.0))
    assert second == pytest.approx((-1 / 3 / root, -1 / 3 / root))


def test_missing_values_are_refused(episode) -> None:
    game = episode("00", {"0": 1.0})
    with pytest.raises(ValueError, match=r"SPO-chain needs Turn.value of some states: got none in 1 episodes"):
        spo_chain.credit([game], {}, CHAIN)
    with pytest.raises(ValueError, match=r"SPO-chain needs Turn.token_values"):
        spo_chain.credit([game], {}, dataclasses.replace(CHAIN, per="token"))
    with pytest.raises(ValueError, match="needs train_logprobs"):
        spo_chain.credit([valued(game, 0.5, 0.5)], {}, SPOChainSettings())
    assert spo_chain.credit([dataclasses.replace(game, status="timeout")], {}, CHAIN)[0] == [[None, None]]
    assert spo_chain.needs(CHAIN) == ("branches",)
    assert spo_chain.needs(SPOChainSettings()) == ("branches", "train_logprobs")


# Trees of numbers.


def leaf(text: str, reward: float) -> Node:
    return Node(segment=text, reward=reward)


def test_tree_by_hand() -> None:
    root = Node(segment="q", children=(Node(segment="a", children=(leaf("x", 1.0), leaf("y", 0.0))), leaf("b", 0.0)))
    value, edges = edge_advantages(root)
    assert (value, node_value(root)) == (0.25, 0.25)
    assert [tuple(edge) for edge in edges] == [
        (("q",), "a", 0.25, 0.5, False),
        (("q", "a"), "x", 0.5, 1.0, True),
        (("q", "a"), "y", -0.5, 0.0, True),
        (("q",), "b", -0.25, 0.0, True),
    ]
    # Over the population standard deviation of the siblings, 1/4 and 1/2, each plus eps.
    _, edges = edge_advantages(root, method="mean_std", eps=0.25)
    assert [edge.advantage for edge in edges] == pytest.approx([0.5, 2 / 3, -2 / 3, -0.5])


@given(st.floats(-1e6, 1e6), st.integers(1, 7), st.sampled_from(spo_tree.METHODS), st.sampled_from([0.0, 1e-8]))
def test_children_that_agree_teach_nothing(reward, count, method, eps) -> None:
    root = Node(segment="q", children=tuple(leaf(str(index), reward) for index in range(count)))
    assert edge_advantages(root, method=method, eps=eps)[1] == []
    kept = edge_advantages(root, method=method, eps=eps, drop_zero=False)[1]
    assert [edge.advantage for edge in kept] == [0.0] * count


def test_empty_segments_are_left_out_and_count_in_the_mean() -> None:
    root = Node(segment="q", children=(leaf("", 1.0), leaf("a", 0.0)))
    value, edges = edge_advantages(root, drop_zero=False)
    assert (value, [edge.segment for edge in edges]) == (0.5, ["a"])


def test_a_node_is_a_leaf_or_has_children() -> None:
    with pytest.raises(ValueError, match="got 0 children and reward None"):
        Node(segment="a")
    with pytest.raises(ValueError, match="got 1 children and reward 1"):
        Node(segment="a", children=(leaf("b", 1.0),), reward=1.0)


# Trees of episodes.


@pytest.fixture
def tree(episode):
    """Four paths of one question: a and d from its beginning, b and c from turn 1 of a. Values: a's node 2, root 1."""

    def one(id, value, **fields):
        return episode("000", {"0": value}, id=id, group="g", **fields)

    return [
        one("a", 4.0),
        one("b", 0.0, parent="a", fork_turn=1),
        one("c", 2.0, parent="a", fork_turn=1),
        one("d", 0.0),
    ]


def test_paths_make_a_tree(tree) -> None:
    table, state, targets, metrics = spo_tree.credit(tree, {}, TREE)
    assert table == [[1.0, 2.0, 2.0], [None, -2.0, -2.0], [None, 0.0, 0.0], [-1.0, -1.0, -1.0]]
    assert (state, targets, metrics) == ({}, None, {"root_value": 1.0})
    dropped = spo_tree.credit(tree, {}, dataclasses.replace(TREE, drop_zero=True))[0]
    assert dropped == [[1.0, 2.0, 2.0], [None, -2.0, -2.0], [None] * 3, [-1.0] * 3]


def test_an_edge_runs_from_fork_to_fork(tree) -> None:
    # Without d everything begins with turn 0 of a: that edge is worth 0. c now leaves from b.
    a, b, c, _ = tree
    c = dataclasses.replace(c, parent="b", fork_turn=2)
    # Node of b and c after turn 1: 1. Node after turn 0: (4 + 1) / 2.
    assert spo_tree.credit([a, b, c], {}, TREE)[0] == [[0.0, 1.5, 1.5], [None, -1.5, -1.0], [None, None, 1.0]]
    # A crashed path is no branch: b and a part after turn 0, and b's edge runs to its end.
    c = dataclasses.replace(c, status="timeout")
    assert spo_tree.credit([a, b, c], {}, TREE)[0] == [[0.0, 2.0, 2.0], [None, -2.0, -2.0], [None] * 3]


def test_the_order_of_paths_does_not_matter(tree) -> None:
    table = spo_tree.credit(tree, {}, TREE)[0]
    assert spo_tree.credit(tree[::-1], {}, TREE)[0] == table[::-1]


def test_every_question_and_seat_has_its_own_tree(episode) -> None:
    games = [
        episode("01", {"0": value, "1": -2 * value}, id=f"{group}{value}", group=group)
        for group in "gh"
        for value in (0.0, 2.0)
    ]
    assert spo_tree.credit(games, {}, TREE)[0] == [[-1.0, 2.0], [1.0, -2.0]] * 2


def test_an_edge_may_begin_inside_a_reply(episode) -> None:
    games = [
        episode("0", {"0": 4.0}, id="a", group="g"),
        episode("0", {"0": 0.0}, id="b", group="g", parent="a", fork_turn=0, metadata={"fork_token": 1}),
        episode("0", {"0": -1.0}, id="c", group="g"),
    ]
    # Node of a and b: 2; root: 1/2. The token that b shares with a is trained in a.
    assert spo_tree.credit(games, {}, TREE)[0] == [[(1.5, 2.0)], [(0.0, -2.0)], [-1.5]]
    # Of the whitening it is no part: 3/2, 2, -2, -3/2, -3/2.
    values = np.array([1.5, 2.0, -2.0, -1.5, -1.5])
    white = (values - values.mean()) / np.sqrt(values.var(ddof=1) + 1e-8)
    (a,), (b,), (c,) = spo_tree.credit(games, {}, dataclasses.replace(TREE, whiten=True))[0]
    assert (a, b, c) == (pytest.approx(white[:2]), pytest.approx((0.0, white[2])), pytest.approx(white[3:]))


def test_certain_tokens_of_an_edge_get_nothing(tree) -> None:
    masked = dataclasses.replace(TREE, prob_threshold=0.9)
    with pytest.raises(ValueError, match="needs train_logprobs"):
        spo_tree.credit(tree, {}, masked)
    games = [valued(game, *[None] * 3, train_logprobs=((math.log(0.5), math.log(0.95)),) * 3) for game in tree]
    assert spo_tree.credit(games, {}, masked)[0][0] == [(1.0, 0.0), (2.0, 0.0), (2.0, 0.0)]
    assert spo_tree.needs(TREE) == ("groups",)
    assert spo_tree.needs(masked) == ("groups", "train_logprobs")


@pytest.mark.parametrize(
    ("record", "wrong", "message"),
    [
        (SPOChainSettings, {"per": "tokens"}, "did you mean 'token'"),
        (SPOChainSettings, {"prob_threshold": 0.0}, "prob_threshold"),
        (SPOTreeSettings, {"method": "mean"}, "did you mean 'mean_"),
        (SPOTreeSettings, {"eps": -1.0}, "eps"),
        (SPOTreeSettings, {"prob_threshold": 1.5}, "prob_threshold"),
    ],
)
def test_impossible_settings_are_refused(record, wrong, message) -> None:
    with pytest.raises(ValueError, match=message):
        record(**wrong)
