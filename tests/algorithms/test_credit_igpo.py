"""Information gain per turn: scores, gains, normalisation of gains and outcomes, what episodes bring."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.credit.gain import answer_score, information_gains
from turnwise.algorithms.credit.grpo import group_advantages
from turnwise.algorithms.credit.igpo import NORM_MODES, IGPOSettings, credit, igpo_advantages, position_baseline
from turnwise.records import Episode

PLAIN = IGPOSettings(norm_mode="none")
CENTRED = IGPOSettings(divide_by_std=False)


def test_gains_by_hand() -> None:
    assert information_gains([-2.0, -1.5, -0.5]) == [0.5, 1.0, None]
    assert information_gains([-2.0, None, -0.5, -0.25]) == [None, None, 0.25, None]
    assert information_gains([-2.0]) == [None]
    assert information_gains([]) == []
    assert answer_score(-2.0, "logprob") == -2.0
    assert answer_score(math.log(0.25), "prob") == pytest.approx(0.25)
    with pytest.raises(ValueError, match="score is one of logprob, prob: got 'log'; did you mean 'logprob'"):
        answer_score(-1.0, "log")


def test_accumulation_by_hand() -> None:
    # Gains 1 and 3 have the mean 2, outcomes 0 and 4 too.
    assert igpo_advantages([[1.0, None], [3.0, None]], [0.0, 4.0], "aa", CENTRED) == [[-3.0, -2.0], [3.0, 2.0]]
    half = dataclasses.replace(CENTRED, gamma=0.5)
    assert igpo_advantages([[1.0, None], [3.0, None]], [0.0, 4.0], "aa", half) == [[-2.0, -2.0], [2.0, 2.0]]
    # One pool of 1, 3, 0, 4 has the mean 2 as well; with 5 more outcomes of 2 it stays.
    joint = dataclasses.replace(CENTRED, norm_mode="joint")
    assert igpo_advantages([[1.0, None], [3.0, None]], [0.0, 4.0], "aa", joint) == [[-3.0, -2.0], [3.0, 2.0]]
    assert igpo_advantages([[1.0, 2.0, None]], [4.0], "a", PLAIN) == [[7.0, 6.0, 4.0]]
    weighted = dataclasses.replace(PLAIN, ig_weight=2.0, outcome_weight=0.5)
    assert igpo_advantages([[1.0, 2.0, None]], [4.0], "a", weighted) == [[8.0, 6.0, 2.0]]


def test_division_by_hand() -> None:
    # Gains 1 and 3: population std 1, with the floor under the root sqrt(1 + 1e-8); eps 1.
    one = igpo_advantages([[1.0, None], [3.0, None]], [2.0, 2.0], "aa", IGPOSettings(eps=1.0))
    assert np.array(one) == pytest.approx(np.array([[-0.5, 0.0], [0.5, 0.0]]), abs=1e-8)


def test_a_pool_of_one_is_its_own_mean() -> None:
    assert igpo_advantages([[5.0, None], [None]], [1.0, 3.0], "aa", CENTRED) == [[-1.0, -1.0], [1.0]]
    assert igpo_advantages([[5.0, None]], [1.0], "a", IGPOSettings()) == [[0.0, 0.0]]
    # Uncentred, the gain of a pool of one is divided by 1.
    raw = igpo_advantages([[5.0, None]], [1.0], "a", IGPOSettings(norm_mode="raw_ig", eps=0.0))
    assert raw == [[5.0, 0.0]]


def test_a_turn_without_a_gain_adds_nothing() -> None:
    half = dataclasses.replace(PLAIN, gamma=0.5)
    assert igpo_advantages([[1.0, None, None]], [4.0], "a", half) == [[2.0, 2.0, 4.0]]
    # A gain of exactly 0 counts in the pool of 0 and 2, unless the released code's reading is asked for.
    gains, outcomes = [[0.0, None], [2.0, None]], [0.0, 0.0]
    assert igpo_advantages(gains, outcomes, "aa", CENTRED) == [[-1.0, 0.0], [1.0, 0.0]]
    released = dataclasses.replace(CENTRED, zero_is_missing=True)
    assert igpo_advantages(gains, outcomes, "aa", released) == [[0.0, 0.0], [0.0, 0.0]]


def test_gains_are_brought_to_the_size_of_the_outcomes() -> None:
    # Centred gains +-1, centred outcomes +-2: factor 2. With eps 1 the factor is 2 / (1 + 1).
    scaled = dataclasses.replace(CENTRED, norm_mode="scaled_separate", eps=0.0)
    assert igpo_advantages([[1.0, None], [3.0, None]], [0.0, 4.0], "aa", scaled) == [[-4.0, -2.0], [4.0, 2.0]]
    eps = dataclasses.replace(scaled, eps=1.0)
    assert igpo_advantages([[1.0, None], [3.0, None]], [0.0, 4.0], "aa", eps) == [[-3.0, -2.0], [3.0, 2.0]]
    # Equal outcomes count 0.3; and the factor stops at 10.
    equal = igpo_advantages([[1.0, None], [3.0, None]], [1.0, 1.0], "aa", scaled)
    assert np.array(equal) == pytest.approx(np.array([[-0.3, 0.0], [0.3, 0.0]]))
    tiny = igpo_advantages([[0.0, None], [0.002, None]], [0.0, 4.0], "aa", scaled)
    assert np.array(tiny) == pytest.approx(np.array([[-2.01, -2.0], [2.01, 2.0]]))


def test_the_adaptive_discount_leaves_a_share_to_the_first_turn() -> None:
    # Two gains and the outcome: gamma = (1/8)^(1/3) = 1/2; a lone outcome needs none.
    adaptive = dataclasses.replace(PLAIN, adaptive_gamma_min_weight=0.125)
    assert igpo_advantages([[0.0, 0.0, None], [None]], [4.0, 1.0], "ab", adaptive) == [[1.0, 2.0, 4.0], [1.0]]


def test_the_first_release_by_hand() -> None:
    # Rewards to go: 3 2 | 1 1 (the second place is padding); means over both rows 2 and 1.
    values = position_baseline([[1.0, 2.0], [1.0, 0.0]], [[1, 1], [1, 0]], "aa")
    assert values.tolist() == [[1.0, 1.0], [-1.0, 0.0]]
    assert position_baseline([], np.zeros((0, 3)), "").shape == (0, 3)


rows = st.lists(
    st.tuples(
        st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=4), st.floats(-1e6, 1e6), st.sampled_from("abc")
    ),
    max_size=8,
)
modes = st.sampled_from(NORM_MODES)


@given(rows, modes, st.booleans(), st.booleans())
def test_finite_whatever_comes(drawn, mode, divide, missing) -> None:
    chosen = IGPOSettings(norm_mode=mode, divide_by_std=divide, zero_is_missing=missing, gamma=0.9)
    values = igpo_advantages([[*gains, None] for gains, _, _ in drawn], *_outcomes_and_groups(drawn), chosen)
    assert [len(row) for row in values] == [len(gains) + 1 for gains, _, _ in drawn]
    assert all(math.isfinite(value) for row in values for value in row)


@given(rows, st.sampled_from(("separate", "scaled_separate", "raw_ig", "joint")))
def test_equal_rewards_give_exactly_zero(drawn, mode) -> None:
    gains = [[None if gain is None else 0.3 for gain in row] + [None] for row, _, _ in drawn]
    values = igpo_advantages(gains, [0.3] * len(drawn), [group for *_, group in drawn], IGPOSettings(norm_mode=mode))
    if mode == "raw_ig":  # gains are not centred: only the outcomes vanish
        assert all(row[-1] == 0.0 for row in values)
    else:
        assert all(value == 0.0 for row in values for value in row)


@given(st.lists(st.tuples(st.just([]), st.floats(-1e3, 1e3), st.sampled_from("ab")), min_size=1, max_size=8))
def test_outcomes_alone_are_group_advantages(drawn) -> None:
    outcomes, groups = _outcomes_and_groups(drawn)
    ours = igpo_advantages([[None, None]] * len(outcomes), outcomes, groups, CENTRED)
    centred = group_advantages(outcomes, groups, scale="none", singleton="raw")
    alone = np.array([groups.count(name) == 1 for name in groups])
    assert np.array(ours) == pytest.approx(np.where(alone, 0.0, centred)[:, None].repeat(2, axis=1))


def _outcomes_and_groups(drawn) -> tuple[list[float], list[str]]:
    return [outcome for _, outcome, _ in drawn], [group for *_, group in drawn]


def test_a_last_turn_has_no_gain() -> None:
    with pytest.raises(ValueError, match=r"the last turn .* no gain: got a gain of 0.5"):
        igpo_advantages([[0.5]], [1.0], "a", IGPOSettings())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"norm_mode": "joined"}, "did you mean 'joint'"),
        ({"gamma": 1.5}, r"gamma is a finite number in \[0, 1\]: got 1.5"),
        ({"score": "p"}, "score is one of"),
        ({"eps": -1.0}, "eps"),
        ({"format_penalty": math.nan}, "format_penalty"),
    ],
)
def test_impossible_settings_are_refused(wrong, message) -> None:
    with pytest.raises(ValueError, match=message):
        IGPOSettings(**wrong)


# Episodes.


def scored(game: Episode, *scores: float | None, **statuses: str) -> Episode:
    """The game with the answer scored before each turn; `t1="unparsable"` sets the status of turn 1."""
    turns = tuple(
        dataclasses.replace(turn, answer_logprob=score, status=statuses.get(f"t{index}", "ok"))
        for index, (turn, score) in enumerate(zip(game.turns, scores, strict=True))
    )
    return dataclasses.replace(game, turns=turns)


def test_episodes_by_hand(episode) -> None:
    games = [
        scored(episode("000", {"0": 4.0}, group="g"), -3.0, -2.0, -1.0),
        scored(episode("00", {"0": 0.0}, group="g"), -1.0, None),
        scored(episode("0", {"0": 9.0}, group="g", status="env_error"), -1.0),
    ]
    table, state, targets, metrics = credit(games, {}, PLAIN)
    assert (table, state, targets) == ([[6.0, 5.0, 4.0], [0.0, 0.0], [None]], {}, None)
    assert metrics == {"gain_mean": 1.0, "gain_std": 0.0, "gains": 2.0}
    # Outcomes 4 and 0 are centred to 2 and -2; both gains are 1.
    assert credit(games, {}, CENTRED)[0] == [[2.0, 2.0, 2.0], [-2.0, -2.0], [None]]


def test_every_seat_has_its_own_turns_and_statistics(episode) -> None:
    game = scored(episode("0101", {"0": 1.0, "1": -1.0}, group="g", silent=(2,)), -4.0, -3.0, -2.0, -1.0)
    assert credit([game], {}, PLAIN)[0] == [[3.0, 1.0, None, -1.0]]
    fixed = dataclasses.replace(game, seats={"0": "policy", "1": "random"})
    assert credit([fixed], {}, PLAIN)[0] == [[3.0, None, None, None]]


def test_scores_may_be_probabilities(episode) -> None:
    game = scored(episode("00", {"0": 1.0}, group="g"), math.log(0.25), math.log(0.75))
    (row,) = credit([game], {}, dataclasses.replace(PLAIN, score="prob"))[0]
    assert row == pytest.approx([1.5, 1.0])


def test_a_turn_that_cannot_be_read_is_fined(episode) -> None:
    fined = dataclasses.replace(PLAIN, format_penalty=-1.0)
    game = episode("000", {"0": 4.0}, group="g")
    first = scored(game, -3.0, -2.0, -1.0, t0="unparsable")
    last = scored(game, -3.0, None, -1.0, t2="unparsable", t1="illegal")
    assert credit([first], {}, fined)[0] == [[4.0, 5.0, 4.0]]
    assert credit([last], {}, fined)[0] == [[-1.0, -1.0, -1.0]]
    assert credit([first], {}, PLAIN)[0] == [[6.0, 5.0, 4.0]]


def test_missing_scores_are_refused(episode) -> None:
    with pytest.raises(ValueError, match="IGPO needs answer_logprob of turns: got 1 episodes without any"):
        credit([episode("00", {"0": 1.0}, group="g")], {}, IGPOSettings())
    # One turn per seat has no gain anyway; nor has a crashed episode.
    assert credit([episode("0", {"0": 1.0}, group="g")], {}, IGPOSettings())[0] == [[0.0]]
    assert credit([episode("00", {"0": 1.0}, group="g", status="timeout")], {}, IGPOSettings())[0] == [[None, None]]
