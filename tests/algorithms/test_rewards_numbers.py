"""The numbers behind the reward terms, by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.rewards.call_matching import bounds, correctness, jaccard, length_bonus
from turnwise.algorithms.rewards.calls import ToolCall, read_calls
from turnwise.algorithms.rewards.kl import turn_kl
from turnwise.algorithms.rewards.length import length_reward
from turnwise.algorithms.rewards.normalise import normalise, population_std, running_statistics
from turnwise.algorithms.rewards.par import log_sigmoid, par
from turnwise.algorithms.rewards.pav import best_of_k, effective_reward, step_advantages, step_rewards

SEARCH = '{"name": "search", "arguments": {"query": "cat"}}'


def test_turn_kl_estimators() -> None:
    assert turn_kl([-1.0, -2.0], [-2.0, -2.0], "k2") == 0.5
    assert turn_kl([-1.0], [-2.0], "k3") == pytest.approx(math.exp(-1.0))  # e^-1 + 1 - 1
    assert turn_kl([-1.0], [-math.inf]) == 20.0


def test_length_reward_by_hand() -> None:
    assert [length_reward(length, 8, 1.0, 0.5, "linear") for length in (0, 4, 8, 80)] == [1.0, 0.75, 0.5, 0.5]
    assert [length_reward(length, 8, -2.0, 0.0) for length in (0, 4, 8, 80)] == pytest.approx([-2.0, -1.0, 0.0, 0.0])


def test_running_statistics_over_batches_are_those_of_all() -> None:
    state = running_statistics([4.0, 0.0], running_statistics([1.0, 3.0], {}))
    assert state == {"count": 4, "mean": 2.0, "squares": 10.0, "low": 0.0, "high": 4.0}
    assert population_std(state) == 2.5**0.5
    assert running_statistics([], {}) == {}
    with pytest.raises(ValueError, match="have the keys count, mean"):
        running_statistics([1.0], {"mean": 0.0})


def test_normalise_equal_rewards() -> None:
    state = running_statistics([2.0, 2.0], {})
    assert normalise([2.0, 2.0], state, "mean_std").tolist() == [0.0, 0.0]
    assert normalise([2.0, 2.0], state, "min_max").tolist() == [0.5, 0.5]
    assert normalise([2.0, 2.0], state, "clip").tolist() == [2.0, 2.0]


def test_par_by_hand() -> None:
    assert par(1.0, [1.0]) == 0.5
    assert par(0.0, [-1.0, 1.0], k=7.0) == 0.5  # sigmoid(7) + sigmoid(-7) = 1
    assert par(2.0, [1.0, 5.0], mode="centred") == -1.0
    assert par(1e6, [-1e6]) == 1.0
    assert par(-1e6, [1e6]) == 0.0
    with pytest.raises(ValueError, match="one reference or more"):
        par(1.0, [])


def test_log_sigmoid_by_hand() -> None:
    assert log_sigmoid(3.0, [3.0]) == -math.log(2.0)
    assert log_sigmoid(85.0, [float(value) for value in range(101)]) == -math.log(2.0)  # the percentile itself
    fitted = log_sigmoid(0.0, [-1.0, 1.0], fitted=True)  # mean 0, std 1: the normal percentile is 1.0364
    assert fitted == pytest.approx(-math.log(1.0 + math.exp(1.0364334)), abs=1e-7)


def call(name, **arguments):
    return ToolCall(name, arguments)


RIGHT = [call("f", x=1, y=2), call("g")]


@pytest.mark.parametrize(
    ("predicted", "matching", "expected"),
    [
        (RIGHT, "coarse", 3.0),
        (None, "partial", -3.0),
        ([], "partial", -3.0),
        (RIGHT[::-1], "partial", 3.0),  # S = 1 + (1 + 2) + 1 = S_max
        (RIGHT[::-1], "coarse", -3.0),
        ([call("f", x=1)], "partial", -0.6),  # S = 1/2 + (1/2 + 1) = 2 of 5
        ([call("f", x=1)], "strict", -1.8),  # S = 0 + (0 + 1) = 1 of 5
        ([call("f", x=1)], "intermediate", -2.0),  # S = 1/2 of 3
        ([call("g"), call("f", x=1, y=3)], "intermediate", 1.0),  # S = 1 + 1 = 2 of 3
        ([call("f", z=0)], "partial", -2.4),  # S = 1/2 of 5
    ],
)
def test_correctness_by_hand(predicted, matching, expected) -> None:
    assert correctness(RIGHT, predicted, matching=matching) == pytest.approx(expected)


def test_correctness_leaves_a_worthless_call_to_the_next() -> None:
    # f(y=2) shares nothing with f(x=1) and stays for f(y=2): S = 2/3 + 0 + 2 of 5
    got = correctness([call("f", x=1), call("f", y=2)], [call("g"), call("f", y=2)])
    assert got == pytest.approx(-3.0 + 6.0 * (1 / 3 + 2.0) / 5.0)


def test_correctness_without_a_reference_is_0() -> None:
    assert correctness([], RIGHT) == correctness([], None) == 0.0


def test_jaccard_counts_multiplicity() -> None:
    assert jaccard("aab", "abb") == 0.5
    assert jaccard("", "") == 1.0
    assert jaccard({"a": 1, "b": 2}, {"a": 9}) == 0.5


@given(st.lists(st.sampled_from([call("f", x=1), call("f", x=2), call("g"), call("h", x=1, y=[1])]), max_size=5))
def test_correctness_stays_in_bounds_and_the_reference_is_best(predicted) -> None:
    for matching in ("partial", "strict", "coarse", "intermediate"):
        assert -3.0 <= correctness(RIGHT, predicted, matching=matching) <= 3.0
        assert correctness(predicted, predicted, matching=matching) == (3.0 if predicted else 0.0)


def test_scales_by_hand() -> None:
    assert bounds("standard", 99) == ((0.0, 1.0), (-3.0, 3.0))
    assert bounds("equal", 99) == bounds("two_stage", 29) == ((0.0, 1.0), (-1.0, 1.0))
    assert bounds("two_stage", 30) == ((0.0, 0.5), (-3.0, 3.0))
    assert bounds("smooth", 0) == ((-2.0, 2.0), (-2.0, 2.0))
    assert bounds("smooth", 75) == ((-1.5, 1.5), (-2.5, 2.5))
    assert bounds("smooth", 300) == ((-1.0, 1.0), (-3.0, 3.0))


def test_length_bonus_by_hand() -> None:
    assert [length_bonus(words, 0) for words in (0, 256, 512, 9999)] == [0.0, 0.5, 1.0, 1.0]
    assert length_bonus(192, 0, "growing") == length_bonus(320, 105, "growing") == length_bonus(320, 999, "growing")
    assert length_bonus(999, 0, "none") == 0.0


def test_calls_are_read_in_both_forms() -> None:
    assert read_calls([SEARCH, {"name": "g", "parameters": {}}]) == [call("search", query="cat"), call("g")]
    for broken in ("{", "[1]", '{"name": 3, "arguments": {}}', '{"name": "f"}', '{"name": "f", "arguments": "x"}'):
        assert read_calls([SEARCH, broken]) is None


def test_prover_by_hand() -> None:
    assert best_of_k([0.0, 0.5, 1.0], 2).tolist() == [0.0, 0.75, 1.0]
    assert step_advantages([0.25, 0.75, 0.5]).tolist() == [0.5, -0.25]
    assert step_advantages([0.25, 0.75, 0.0], [0.0, 1.0]).tolist() == [0.5, 0.25]
    assert step_rewards([0.5, -0.25], 1.0, 2.0).tolist() == [1.0, 0.5]
    assert step_rewards([], 1.0, 2.0).tolist() == []
    assert effective_reward(0.5, -0.5, 0.5) == 0.25
    with pytest.raises(ValueError, match="leave best_of out"):
        best_of_k([2.0], 4)
    with pytest.raises(ValueError, match="2 steps need 3 values"):
        step_advantages([0.0, 0.0], [0.0, 0.0])
