"""When a question's sampling forks: entropies of segments, fork rules, budgets, counts."""

import math
from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.explore.branching import (
    BranchingSettings,
    Growth,
    QuestionTree,
    aepo_forks,
    arpo_forks,
    grow_round,
    listed_entropies,
    root_budget,
    segment_entropy,
)


def tree(budget: int, *draws: float, **settings) -> QuestionTree:
    """A question with scripted draws."""
    return QuestionTree(BranchingSettings(**settings), budget, iter(draws).__next__)


def test_segment_entropy_by_hand() -> None:
    # Two equal candidates: ln 2 nats. Half of the mass listed: -1/2 ln 1/2. Four such tokens over ln 4.
    half = math.log(0.5)
    entropies = listed_entropies([[half, half], [half], [half, -math.inf], []])
    assert entropies == pytest.approx([math.log(2), math.log(2) / 2, math.log(2) / 2, 0.0])
    assert segment_entropy(entropies, vocabulary=4) == pytest.approx(1.0)
    assert segment_entropy(entropies, vocabulary=4, first_k=1) == pytest.approx(0.5)
    assert segment_entropy([], vocabulary=4) == 0.0
    with pytest.raises(ValueError, match="vocabulary"):
        segment_entropy([1.0], vocabulary=1)
    with pytest.raises(ValueError, match="first_k"):
        segment_entropy([1.0], vocabulary=2, first_k=0)


def test_rules_by_hand() -> None:
    plain = BranchingSettings()
    assert arpo_forks(0.5, 0.0, 0, plain)
    assert not arpo_forks(0.51, 0.0, 0, plain)
    assert arpo_forks(0.69, 1.0, 9, plain)
    assert not arpo_forks(0.0, -3.0, 0, plain)
    assert aepo_forks(0.5, 0.0, 0, plain)
    assert not aepo_forks(0.49, 0.0, 0, plain)
    assert not aepo_forks(0.5, 0.0, 1, plain)
    assert aepo_forks(0.5, 1.0, 4, plain)  # (0.5 + 0.2) * 0.8 = 0.56
    assert not aepo_forks(0.99, 9.0, 20, plain)  # the penalty leaves nothing


@given(st.floats(-2, 2), st.floats(0.01, 0.99))
def test_the_probability_of_a_fork(rise, probability) -> None:
    settings = BranchingSettings(branch_probability=probability)
    grid = [(index + 0.5) / 1000 for index in range(1000)]
    for rule, base in ((arpo_forks, probability), (aepo_forks, 1.0 - probability)):
        share = sum(rule(draw, rise, 0, settings) for draw in grid) / 1000
        assert share == pytest.approx(min(max(base + 0.2 * rise, 0.0), 1.0), abs=2e-3)


def test_forks_come_in_the_order_of_their_sources() -> None:
    question = tree(6, 0.9, 0.1, 0.1, 0.9, roots=2, beam=3)
    assert question.grow({1: 0.5, 0: 0.5}, {1, 0}) == [Growth("fork", 0, 2), Growth("fork", 1, 3)]
    assert question.paths == 4


def test_the_reference_is_a_paths_own_first_segment() -> None:
    question = tree(6, 0.9, 0.9, 0.6, 0.6, 0.6, roots=2)
    assert question.grow({0: 0.5, 1: 2.0}, {0, 1}) == []
    # Path 0 rose by 1: 0.6 - 0.2 forks. Path 1 did not. The new path's first segment is its own reference.
    assert question.grow({0: 1.5, 1: 2.0}, {0, 1}) == [Growth("fork", 0, 2)]
    assert question.grow({2: 9.0}, {2}) == []
    assert question.references == {0: 0.5, 1: 2.0, 2: 9.0}


def test_the_budget_ends_forks_and_draws() -> None:
    question = tree(3, 0.0, roots=2, beam=9)
    assert question.grow({0: 0.0, 1: 0.0}, {0, 1}) == [Growth("fork", 0, 2)]
    assert question.grow({0: 0.0, 1: 0.0, 2: 0.0}, {0, 1, 2}) == question.grow({}, set()) == []


def test_a_question_without_active_paths_gets_one_fresh_root_a_round() -> None:
    question = tree(4, roots=2)
    assert question.grow({0: 0.0, 1: 0.0}, set()) == [Growth("root", None, 2)]
    assert question.grow({2: 0.0}, set()) == [Growth("root", None, 3)]
    assert question.grow({3: 0.0}, set()) == []


def test_a_beam_of_one_never_forks() -> None:
    question = tree(4, roots=2, beam=1)
    assert question.grow({0: 0.0, 1: 0.0}, {0, 1}) == []


def test_rounds_in_a_row_are_counted() -> None:
    # 0.5 forks; 0.6 * 0.95 does; then 0.55 * 0.9 does not, and a round in which nobody grows leaves the counts.
    first, second = tree(5, 0.5, 0.6, 0.55, rule="aepo", roots=1), tree(5, 0.1, 0.1, 0.1, rule="aepo", roots=1)
    rounds = [grow_round([first, second], [{0: 0.0}] * 2, [{0}] * 2) for _ in range(3)]
    assert rounds == [[[Growth("fork", 0, 1)], []], [[Growth("fork", 0, 2)], []], [[], []]]
    assert (first.consecutive, second.consecutive) == (2, 0)


def test_counts_fall_back_where_only_others_grow() -> None:
    first, second = tree(4, 0.9, 0.1, rule="aepo", roots=1), tree(4, 0.1, 0.9, rule="aepo", roots=1)
    grow_round([first, second], [{0: 0.0}] * 2, [{0}] * 2)
    assert (first.consecutive, second.consecutive) == (1, 0)
    grow_round([first, second], [{0: 0.0}] * 2, [{0}] * 2)
    assert (first.consecutive, second.consecutive) == (0, 1)


@given(
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from(["arpo", "aepo"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.booleans()), max_size=12),
)
def test_never_more_paths_than_the_budget(budget, roots, beam, rule, rounds) -> None:
    roots = min(roots, budget)
    for draw, active in rounds:
        settings = BranchingSettings(rule=rule, roots=roots, beam=beam)
        question = QuestionTree(settings, budget, repeat(draw).__next__)
        for _ in range(2 * budget):
            everyone = range(question.paths)
            grown = question.grow(dict.fromkeys(everyone, 0.0), everyone if active else ())
            assert [growth.path for growth in grown] == list(range(question.paths - len(grown), question.paths))
        assert question.paths <= budget
        assert active or question.paths == budget


def test_root_budget_by_hand() -> None:
    assert root_budget(16, 1.0, []) == 9  # floor(16 / 2) + 1
    assert root_budget(16, 1.0, [1.0]) == 9
    assert root_budget(16, 1e9, [0.0]) == 16
    assert root_budget(16, 0.0, [1e9]) == 1
    assert root_budget(16, 5.0, [0.0], beta=0.0) == 9
    assert root_budget(1, 0.0, []) == 1
    with pytest.raises(ValueError, match="budget"):
        root_budget(0, 1.0, [])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rule": "arpa"}, "did you mean 'arpo'"),
        ({"beam": 0}, "beam"),
        ({"roots": 0}, "roots"),
        ({"branch_probability": 1.5}, "branch_probability"),
        ({"entropy_weight": -1.0}, "entropy_weight"),
    ],
)
def test_impossible_settings_are_refused(wrong, message) -> None:
    with pytest.raises(ValueError, match=message):
        BranchingSettings(**wrong)


def test_impossible_questions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got a budget of 4 and 8 roots; raise group_size or lower roots"):
        tree(4)
    with pytest.raises(ValueError, match=r"got unknown paths \[7\], and none for the active \[1\]"):
        tree(7, roots=2).grow({0: 0.0, 7: 0.0}, {0, 1})
