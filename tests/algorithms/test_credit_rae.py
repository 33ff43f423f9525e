"""Role-conditioned advantage estimation, with decay 1/2 so that every number is exact in binary."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.credit.rae import RAESettings, credit, rae
from turnwise.algorithms.credit.returns import ReturnSettings
from turnwise.algorithms.credit.returns import credit as return_credit

HALF = RAESettings(decay=0.5)
WIN, LOSS, DRAW = {"0": 1.0, "1": -1.0}, {"0": -1.0, "1": 1.0}, {"0": 0.0, "1": 0.0}


def test_baselines_by_hand(episode) -> None:
    # b0: 0 -> .5 -> .75 -> -.125; A = R - b before the game
    table, state, *_ = credit([episode("01", WIN), episode("010", WIN), episode("01", LOSS)], {}, HALF)
    assert table == [[1.0, -1.0], [0.5, -0.5, 0.5], [-1.75, 1.75]]
    assert state == {
        "baselines": {"Game|0": -0.125, "Game|1": 0.125},
        "counts": {"Game|0": 3, "Game|1": 3},
    }


def test_paper_order_is_decay_times_released_order(episode) -> None:
    games = [episode("01", WIN), episode("01", LOSS), episode("01", DRAW)]
    table, *_ = credit(games, {}, HALF)
    paper, *_ = credit(games, {}, RAESettings(decay=0.5, order="update_then_read"))
    assert paper == [[0.5 * value for value in row] for row in table]


def test_draw_is_worth_minus_the_baseline(episode) -> None:
    table, *_ = credit([episode("01", WIN), episode("01", DRAW)], {}, HALF)
    assert table[1] == [-0.5, 0.5]


def test_forfeit_that_is_not_zero_sum(episode) -> None:
    table, state, *_ = credit([episode("0", {"0": -1.5, "1": 0.5}), episode("01", DRAW)], {}, HALF)
    assert table == [[-1.5], [0.75, -0.25]]
    assert state["counts"]["Game|1"] == 2  # it never spoke in the first game, and its baseline moved all the same


def test_turn_discount_counts_own_turns_after_the_baseline(episode) -> None:
    settings = RAESettings(decay=0.5, turn_discount=0.5)
    table, *_ = credit([episode("01", WIN), episode("01010", WIN)], {}, settings)
    # second game: A = .5 for seat 0 (3 turns), -.5 for seat 1 (2 turns)
    assert table[1] == [0.125, -0.25, 0.25, -0.5, 0.5]


def test_discount_counts_turns_without_tokens_too(episode) -> None:
    table, *_ = credit([episode("000", {"0": 1.0}, silent=(1,))], {}, RAESettings(turn_discount=0.5))
    assert table == [[0.25, None, 1.0]]


def test_filter_zero_drops_exact_zeros_and_still_moves_baselines(episode) -> None:
    settings = RAESettings(decay=0.5, filter_zero=True)
    table, state, *_ = credit([episode("01", DRAW), episode("01", WIN), episode("01", DRAW)], {}, settings)
    assert table == [[None, None], [1.0, -1.0], [-0.5, 0.5]]
    assert state["counts"] == {"Game|0": 3, "Game|1": 3}


def test_reward_scaling_scales_returns_and_baselines(episode) -> None:
    table, state, *_ = credit([episode("01", WIN), episode("01", WIN)], {}, RAESettings(decay=0.5, reward_scaling=4.0))
    assert table == [[4.0, -4.0], [2.0, -2.0]]
    assert state["baselines"] == {"Game|0": 3.0, "Game|1": -3.0}


def test_games_have_baselines_of_their_own_unless_keyed_by_role(episode) -> None:
    games = [episode("01", WIN, env_id="A"), episode("01", WIN, env_id="B")]
    assert credit(games, {}, HALF)[0][1] == [1.0, -1.0]
    by_role, state, *_ = credit(games, {}, RAESettings(decay=0.5, key="role"))
    assert by_role[1] == [0.5, -0.5]
    assert state["baselines"] == {"0": 0.75, "1": -0.75}


def test_shared_baseline_is_read_by_all_seats_before_any_moves_it(episode) -> None:
    settings = RAESettings(decay=0.5, key="shared")
    table, state, *_ = credit([episode("01", WIN), episode("01", WIN)], {}, settings)
    # game 1: both read 0; then 0 -> .5 -> -.25. game 2: both read -.25
    assert table == [[1.0, -1.0], [1.25, -0.75]]
    assert state["baselines"] == {"shared": -0.5 + 0.5 * (0.5 * -0.25 + 0.5)}


def test_only_the_learner_is_trained_and_others_do_not_touch_its_baseline(episode) -> None:
    games = [
        episode("01", WIN, agents={"1": "random"}),
        episode("01", WIN, agents={"0": "random"}),
        episode("01", DRAW),
    ]
    table, state, *_ = credit(games, {}, HALF)
    assert table == [[1.0, None], [None, -1.0], [-0.5, 0.5]]
    assert state["baselines"] == {"Game|0": 0.25, "Game|1|others": -0.5, "Game|0|others": 0.5, "Game|1": -0.25}


def test_another_learner_name(episode) -> None:
    table, *_ = credit([episode("01", WIN, agents={"1": "student"})], {}, HALF, learner="student")
    assert table == [[None, -1.0]]


@pytest.mark.parametrize("status", ["env_error", "agent_error", "timeout"])
def test_a_crashed_episode_trains_nothing_and_moves_nothing(episode, status) -> None:
    table, state, *_ = credit([episode("01", DRAW, status=status), episode("01", WIN)], {}, HALF)
    assert table == [[None, None], [1.0, -1.0]]
    assert state["counts"] == {"Game|0": 1, "Game|1": 1}


def test_a_truncated_episode_counts_as_its_returns_say(episode) -> None:
    table, *_ = credit([episode("01", WIN), episode("01", DRAW, status="truncated")], {}, HALF)
    assert table[1] == [-0.5, 0.5]


def test_bias_correction_by_hand(episode) -> None:
    settings = RAESettings(decay=0.5, bias_correction=True)
    games = [episode("0", {"0": value}) for value in (1.0, 1.0, 0.0)]
    table, state, *_ = credit(games, {}, settings)
    # b = .5 after one game, / (1 - .5) = 1; b = .75 after two, / (1 - .25) = 1
    assert table == [[1.0], [0.0], [-1.0]]
    assert state["baselines"] == {"Game|0": 0.375}


def test_decay_one_keeps_the_start_and_equals_plain_return(episode) -> None:
    games = [episode("010", WIN), episode("01", LOSS)]
    for corrected in (False, True):
        table, *_ = credit(games, {}, RAESettings(decay=1.0, bias_correction=corrected))
        assert table == return_credit(games, {}, ReturnSettings())[0]


def test_init_is_the_first_baseline() -> None:
    assert rae([[("a", 1.0)]], {}, RAESettings(decay=0.5, init=0.25))[0] == [[0.75]]


games_of_two = st.lists(st.tuples(st.sampled_from("ab"), st.floats(-1e6, 1e6)), max_size=12).map(
    lambda games: [[(f"{name}|0", value), (f"{name}|1", -value)] for name, value in games]
)
any_settings = st.builds(
    RAESettings,
    order=st.sampled_from(["read_then_update", "update_then_read"]),
    decay=st.floats(0.0, 1.0),
    bias_correction=st.booleans(),
)


@given(games_of_two, games_of_two, any_settings)
def test_a_batch_cut_in_two_with_the_state_through_json_gives_the_same(first, second, settings) -> None:
    whole, whole_state = rae(first + second, {}, settings)
    head, state = rae(first, {}, settings)
    tail, state = rae(second, json.loads(json.dumps(state)), settings)
    assert head + tail == whole
    assert state == whole_state


@given(games_of_two, any_settings)
def test_zero_sum_games_give_opposite_advantages(games, settings) -> None:
    for first, second in rae(games, {}, settings)[0]:
        assert first == pytest.approx(-second, abs=1e-9)


def test_the_given_state_is_not_changed() -> None:
    _, state = rae([[("a", 1.0)]], {}, HALF)
    before = json.dumps(state)
    rae([[("a", 1.0)]], state, HALF)
    assert json.dumps(state) == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"order": "read_then_updat"}, "did you mean 'read_then_update'"),
        ({"key": "game"}, "did you mean 'game_role'"),
        ({"decay": 1.5}, r"decay is a finite number in \[0, 1\]: got 1.5"),
        ({"decay": float("nan")}, "decay"),
        ({"turn_discount": -0.1}, "turn_discount"),
        ({"reward_scaling": 0.0}, r"reward_scaling is a finite number in \(0, inf\)"),
        ({"init": float("inf")}, "init"),
        ({"init": 0.5, "bias_correction": True}, "bias_correction needs init 0"),
    ],
)
def test_impossible_settings_are_refused(wrong, message) -> None:
    with pytest.raises(ValueError, match=message):
        RAESettings(**wrong)


def test_a_foreign_state_is_refused() -> None:
    with pytest.raises(ValueError, match=r"keys baselines and counts: got the keys \['b'\]"):
        rae([], {"b": 1}, HALF)
