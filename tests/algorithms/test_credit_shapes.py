"""Group methods that shape the advantage: GDPO, CANON, BNPO, HAPO's average, optimal token baseline, ASPO for tools."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.credit import CREDITS, bnpo, canon, gdpo, hapo
from turnwise.algorithms.credit import optimal_token_baseline as otb
from turnwise.algorithms.credit.bnpo import BNPOSettings, beta_advantages, beta_parameters, beta_weight
from turnwise.algorithms.credit.canon import CANONSettings, conditional_advantages, share_of_others
from turnwise.algorithms.credit.gdpo import GDPOSettings, decoupled_advantages
from turnwise.algorithms.credit.grpo import group_advantages
from turnwise.algorithms.credit.hapo import HAPOSettings, group_average
from turnwise.algorithms.credit.optimal_token_baseline import (
    OptimalTokenBaselineSettings,
    optimal_token_baseline,
)
from turnwise.algorithms.shaping import SHAPINGS
from turnwise.algorithms.shaping.aspo_tool import ASPOToolSettings, FirstCall, nudged, nudges, shape

pytestmark = pytest.mark.filterwarnings("ignore:.*groups have one reward")

rewards_and_groups = st.lists(st.tuples(st.floats(-1e6, 1e6), st.sampled_from("abc")), min_size=1, max_size=12).map(
    lambda rows: ([reward for reward, _ in rows], [name for _, name in rows])
)


def lengths_of(size: int) -> list[int]:
    """Some lengths, equal ones and 0 among them."""
    return [(7 * index) % 5 for index in range(size)]


def by_hapo(rewards, group):
    return hapo._by_group(rewards, lengths_of(len(rewards)), group, HAPOSettings())[0]


def by_canon(rewards, group):
    return conditional_advantages(rewards, lengths_of(len(rewards)), group, mu=0.7)


estimators = st.sampled_from(
    [
        lambda rewards, group: decoupled_advantages([rewards, rewards[::-1]], [1.0, 2.0], group),
        by_canon,
        lambda rewards, group: beta_advantages(rewards, group).advantages,
        lambda rewards, group: beta_advantages(rewards, group, clamp=True, cap=10.0).advantages,
        by_hapo,
    ]
)


@given(rewards_and_groups, estimators)
def test_never_nan(rows, estimate) -> None:
    assert np.isfinite(estimate(*rows)).all()


@given(st.floats(-1e6, 1e6), st.integers(1, 9), estimators)
def test_equal_rewards_give_exactly_zero(reward, size, estimate) -> None:
    assert estimate([reward] * size, "a" * size).tolist() == [0.0] * size


@given(st.lists(st.integers(-100, 100), min_size=2, max_size=12), st.integers(-1000, 1000), estimators)
def test_a_constant_added_to_every_reward_changes_nothing(rewards, shift, estimate) -> None:
    group = "a" * len(rewards)
    moved = estimate([reward + shift for reward in rewards], group)
    assert moved == pytest.approx(estimate(rewards, group), rel=1e-6, abs=1e-6)


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.sampled_from("ab")), min_size=1, max_size=10),
    st.randoms(use_true_random=False),
)
def test_a_permutation_of_the_batch_permutes_the_result(rows, random) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    rewards, group = [reward for reward, _ in rows], [name for _, name in rows]
    sizes = [math.sqrt(2 + index) for index in range(len(rows))]  # all different: no ties whose order matters

    def estimates(places):
        mine, names = [rewards[index] for index in places], [group[index] for index in places]
        metric = [sizes[index] for index in places]
        return (
            decoupled_advantages([mine, metric], [1.0, 2.0], names),
            conditional_advantages(mine, metric, names, mu=0.3, alpha=0.9, b=0.1),
            beta_advantages(mine, names).advantages,
            hapo._by_group(mine, [int(100 * size) for size in metric], names, HAPOSettings())[0],
        )

    for plain, moved in zip(estimates(range(len(rows))), estimates(order), strict=True):
        assert moved == pytest.approx(plain[order], rel=1e-6, abs=1e-6)


# GDPO.


def test_each_part_is_normalised_by_itself() -> None:
    # both parts are one standard deviation apart, whatever their size
    got = decoupled_advantages([[0.0, 2.0], [0.0, 1000.0]], [1.0, 0.5], "gg", ddof=0, eps=0.0)
    assert got.tolist() == [-1.5, 1.5]
    one = decoupled_advantages([[3.0, 5.0, 9.0]], [1.0], "ggg")
    assert one.tolist() == group_advantages([3.0, 5.0, 9.0], "ggg").tolist()
    with pytest.raises(ValueError, match="got 1 weights for 2 parts"):
        decoupled_advantages([[0.0], [0.0]], [1.0], "g")


def parted(episode, task, style, **fields):
    parts = {"task": {"0": task}, "style": {"0": style}}
    return episode("0", {"0": task + style}, group="g", reward_parts=parts, **fields)


def test_gdpo_on_episodes(episode) -> None:
    games = [parted(episode, 0.0, 10.0), parted(episode, 2.0, 0.0)]
    plain = GDPOSettings(ddof=0, eps=0.0, whiten=False)
    assert gdpo.credit(games, {}, plain).advantages == [[0.0], [0.0]]  # one point each
    weighted = dataclasses.replace(plain, weights={"task": 1.0, "style": 0.25})
    assert gdpo.credit(games, {}, weighted).advantages == [[-0.75], [0.75]]
    whitened = gdpo.credit(games, {}, dataclasses.replace(weighted, whiten=True)).advantages
    assert whitened == [[pytest.approx(-(0.75**0.5))], [pytest.approx(0.75**0.5)]]  # two tokens each: variance 4/3


def test_gdpo_names_the_part_that_is_missing(episode) -> None:
    games = [parted(episode, 0.0, 1.0), episode("0", {"0": 1.0}, group="g", reward_parts={"task": {"0": 1.0}}, id="x")]
    with pytest.raises(ValueError, match=r"needs reward_parts.*part 'style' for seat '0' of episode 'x'; it has task"):
        gdpo.credit(games, {}, GDPOSettings())
    with pytest.raises(ValueError, match="part 'speed' for seat '0' of episode 'e'; it has style, task"):
        gdpo.credit(games[:1], {}, GDPOSettings(weights={"speed": 1.0}))
    with pytest.raises(ValueError, match="gdpo needs reward_parts: got none in 1 trajectories"):
        gdpo.credit([episode("0", {"0": 1.0}, group="g")], {}, GDPOSettings())


# CANON.


def test_conditional_advantages_by_hand() -> None:
    rewards, sizes = [1.0, 0.0, 4.0, 2.0], [10, 20, 30, 40]  # halves (1, 0) with mean 1/2, (4, 2) with mean 3
    others = conditional_advantages(rewards, sizes, "gggg", mu=1.0)
    assert others.tolist() == [-2.0, -3.0, 3.5, 1.5]
    own = conditional_advantages(rewards, sizes, "gggg", mu=0.0, alpha=0.5, b=7.0)
    assert own.tolist() == [0.5, -0.5, 1.0, -1.0]
    short = conditional_advantages(rewards, sizes, "gggg", mu=1.0, alpha=0.5, b=0.25)
    assert short.tolist() == [1.0 - 1.5 - 0.25, 0.0 - 1.5 - 0.25, 2.0 - 0.5 + 0.25, 1.0 - 0.5 + 0.25]
    bold = conditional_advantages(rewards, sizes, "gggg", mu=1.0, alpha=0.5, b=0.25, form="entropy")
    assert bold.tolist() == [0.5 - 3.0 - 0.25, 0.0 - 3.0 - 0.25, 4.0 - 0.25 + 0.25, 2.0 - 0.25 + 0.25]


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=5), st.lists(st.integers(0, 3), min_size=10, max_size=10))
def test_half_and_half_is_the_centred_reward_in_an_even_group(rewards, sizes) -> None:
    twice = rewards * 2
    got = conditional_advantages(twice, sizes[: len(twice)], "g" * len(twice), mu=0.5)
    assert got == pytest.approx(group_advantages(twice, "g" * len(twice), scale="none"), abs=1e-9)


def test_odd_groups_ties_and_groups_of_one() -> None:
    # equal sizes keep their order; the low half is the smaller one
    assert conditional_advantages([3.0, 0.0, 6.0], [1, 1, 1], "ggg", mu=0.0).tolist() == [0.0, -3.0, 3.0]
    assert conditional_advantages([3.0], [1], "g", mu=0.5, alpha=0.5, singleton="raw").tolist() == [2.25]
    with pytest.warns(UserWarning, match="groups have one reward"):
        assert conditional_advantages([3.0], [1], "g", mu=0.5).tolist() == [0.0]
    with pytest.raises(ValueError, match="got 1 metrics for 2 rewards"):
        conditional_advantages([1.0, 2.0], [1], "gg", mu=0.5)


def test_schedules() -> None:
    assert share_of_others(CANONSettings(mu=0.3), 7, [1.0]) == 0.3
    by_reward = CANONSettings(schedule="reward")
    assert share_of_others(by_reward, 0, [1.0, 0.0, 0.0, 0.0]) == 0.25
    with pytest.raises(ValueError, match=r"mean return in \[0, 1\]: got 2.0"):
        share_of_others(by_reward, 0, [2.0])
    falling = CANONSettings(schedule="cosine")  # the own half: up to 0.6 in 30 steps, then down to 0 in each 40
    assert [1.0 - share_of_others(falling, step, []) for step in (14, 29, 30, 50, 70)] == pytest.approx(
        [0.3, 0.6, 0.6, 0.3, 0.6]
    )
    rising = CANONSettings(schedule="cosine_mirrored")
    assert [1.0 - share_of_others(rising, step, []) for step in (14, 30, 50, 70)] == pytest.approx([0.5, 0.0, 0.3, 0.0])


def rich(game, **columns):
    """The game with fields of its turns replaced, one value per turn."""
    turns = tuple(
        dataclasses.replace(turn, **{name: column[index] for name, column in columns.items()})
        for index, turn in enumerate(game.turns)
    )
    return dataclasses.replace(game, turns=turns)


def test_metrics_of_episodes(episode) -> None:
    calls, entropies = [("{}", "{}"), ()], [(0.25, 0.5), (0.75, 0.5)]
    game = rich(episode("00", {"0": 1.0}, group="g"), tool_calls=calls, token_entropy=entropies)
    expected = {"length": 4.0, "turns": 2.0, "tool_calls": 2.0, "entropy": 0.5}
    assert {name: canon._of_seat(game, "0", "policy", name) for name in canon.METRICS} == expected
    assert CREDITS["canon"].needs_with(CANONSettings(metric="entropy")) == ("groups", "token_entropy")
    assert CREDITS["canon"].needs_with(CANONSettings(metric="tool_calls")) == ("groups", "tool_calls")
    assert CREDITS["canon"].needs_with(CANONSettings()) == ("groups",)
    with pytest.raises(ValueError, match=r"needs token_entropy.*turn 0 of episode 'e'"):
        canon.credit([episode("0", {"0": 1.0}, group="g")], {}, CANONSettings(metric="entropy"))


def test_canon_counts_its_steps(episode) -> None:
    games = [episode("00", {"0": 1.0}, group="g"), episode("0", {"0": 0.0}, group="g")]
    got = canon.credit(games, {"step": 29}, CANONSettings(schedule="cosine"))
    assert got.state == {"step": 30}
    assert got.metrics == {"mu": pytest.approx(0.4)}
    assert got.advantages == [[pytest.approx(0.4), pytest.approx(0.4)], [pytest.approx(-0.4)]]


# BNPO.


def test_beta_weights_by_hand() -> None:
    assert beta_weight(0.3, 1.0, 1.0) == 1.0
    assert beta_weight(0.25, 2.0, 1.0) == pytest.approx(2.0)  # density 2 p
    assert beta_weight(0.5, 2.0, 2.0) == pytest.approx(2 / 3)  # density 6 p (1 - p)
    assert beta_weight(0.0, 2.0, 1.0) == beta_weight(1.0, 1.0, 2.0, cap=1e6) == 1e6
    assert beta_weight(1.0, 2.0, 1.0) == pytest.approx(0.5)
    assert beta_weight(1e-9, 2.0, 1.0, cap=10.0) == 10.0


@given(st.floats(0.01, 0.99))
def test_three_halves_are_grpo_up_to_a_constant(rate) -> None:
    assert beta_weight(rate, 1.5, 1.5) == pytest.approx(math.pi / 8 / math.sqrt(rate * (1 - rate)))


def test_beta_parameters_by_hand() -> None:
    # rates 1/4 and 3/4: mean 1/2, sample variance 1/8; strength 1/4 / (1/8) - 1 = 1; 1 + 1/2 / 3
    assert beta_parameters([0.25, 0.75]) == pytest.approx((7 / 6, 7 / 6))
    assert beta_parameters([0.0, 1.0]) == (1.0, 1.0)  # U-shaped: no less than 1
    assert beta_parameters([0.5, 0.5]) == beta_parameters([0.5]) == beta_parameters([]) == (1.0, 1.0)


def test_beta_advantages_of_scaled_rewards() -> None:
    plain = beta_advantages([1.0, 0.0, 1.0, 1.0], "aabb", lowest=0.0, highest=1.0)
    moved = beta_advantages([5.0, -5.0, 5.0, 5.0], "aabb", lowest=-5.0, highest=5.0)
    found = beta_advantages([5.0, -5.0, 5.0, 5.0], "aabb")
    for other in (moved, found):
        assert other.advantages.tolist() == plain.advantages.tolist()
    with pytest.raises(ValueError, match=r"between lowest 0.0 and highest 1.0: got 5.0"):
        beta_advantages([5.0], "a", lowest=0.0, highest=1.0)


def test_clamped_rates() -> None:
    # rates 1 and 1/2: strength 3/16 / (1/8) - 1 = 1/2, alpha 1 + 3/8 / 3, beta 1 + 1/8 / 3
    free = beta_advantages([1.0, 1.0, 1.0, 0.0], "aabb", lowest=0.0)
    assert (free.alpha, free.beta) == pytest.approx((9 / 8, 25 / 24))
    assert free.weights[0] == 1e6
    held = beta_advantages([1.0, 1.0, 1.0, 0.0], "aabb", lowest=0.0, clamp=True)
    assert held.weights[0] == pytest.approx(beta_weight(0.75, 9 / 8, 25 / 24))


def test_bnpo_averages_over_parts(episode) -> None:
    games = [parted(episode, 0.0, 1.0), parted(episode, 1.0, 1.0)]
    assert bnpo.credit(games, {}, BNPOSettings()).advantages == [[-0.5], [0.5]]
    both = BNPOSettings(parts=("task", "style"))
    assert bnpo.credit(games, {}, both).advantages == [[-0.25], [0.25]]
    assert CREDITS["bnpo"].needs_with(both) == ("groups", "reward_parts")
    with pytest.raises(ValueError, match="part 'speed'"):
        bnpo.credit(games, {}, BNPOSettings(parts=("speed",)))


# HAPO.


def test_long_replies_weigh_more() -> None:
    # 1 on one token, 0 on three: mean 1/4, variance 3/16
    got = group_average([1.0, 0.0], [1, 3])
    assert (got.token_mean, got.token_std, got.fell_back) == (0.25, pytest.approx(3**0.5 / 4), False)
    assert got.advantages == pytest.approx([3**0.5, -(3**-0.5)], rel=1e-5)


def test_a_rare_success_falls_back_to_grpo() -> None:
    # 1 on one of 101 tokens: sqrt(100) deviations
    got = group_average([1.0, 0.0], [1, 100])
    assert got.fell_back
    assert got.advantages.tolist() == group_advantages([1.0, 0.0], "gg").tolist()
    assert not group_average([1.0, 0.0], [1, 100], limit=11.0).fell_back
    assert group_average([1.0, 2.0], [0, 0]).advantages.tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="a length >= 0"):
        group_average([1.0, 2.0], [1, -1])


def test_hapo_on_episodes(episode) -> None:
    games = [episode("0", {"0": 1.0}, group="g"), episode("000", {"0": 0.0}, group="g", silent=(0, 1))]
    games.append(episode("00", {"0": 0.0}, group="g"))
    got = hapo.credit(games, {}, HAPOSettings())
    # two, two and four tokens: mean 1/4
    assert got.advantages[0] == [pytest.approx(3**0.5, rel=1e-5)]
    assert got.advantages[1] == [None, None, pytest.approx(-(3**-0.5), rel=1e-5)]
    assert got.metrics == {"fell_back": 0.0}


# Optimal token baseline.


def test_energies_weigh_the_baseline() -> None:
    # p = 1/2 of two: energy 1/2 a token; p = 1: energy 0, which counts for nothing
    mask = [[1, 1], [1, 1]]
    got = optimal_token_baseline(
        [[0.0, 4.0], [0.0, 2.0]], [[0.5, 0.5], [1.0, 0.5]], [[0.5, 0.5], [1.0, 0.5]], mask, eps=1e-12
    )
    assert got.energy.tolist() == [[0.5, 1.0], [0.0, 0.5]]
    assert got.baseline == pytest.approx([4.0, (4.0 + 1.0) / 1.5])
    assert got.advantages[0] == pytest.approx([0.0, 2 / 3], abs=1e-9)
    assert got.advantages[1] == pytest.approx([-2.0, -4 / 3])


def test_the_longest_has_no_baseline_in_its_tail() -> None:
    half, mask = np.full((2, 3), 0.5), [[1, 1, 1], [1, 0, 0]]
    rewards = [[0.0, 0.0, 6.0], [2.0, 0.0, 0.0]]
    assert optimal_token_baseline(rewards, half, half, mask, eps=1e-12).advantages == pytest.approx(
        np.array([[2.0, 6.0, 6.0], [-2.0, 0.0, 0.0]])
    )
    kept = optimal_token_baseline(rewards, half, half, mask, eps=1e-12, zero_tail=False)
    assert kept.advantages[0] == pytest.approx([2.0, 0.0, 0.0], abs=1e-9)


def test_sampled_tokens_are_compared_by_count_or_by_column() -> None:
    half = np.full((2, 3), 0.5)
    rewards, mask = [[0.0, 0.0, 4.0], [0.0, 2.0, 0.0]], [[1, 0, 1], [1, 1, 0]]
    by_count = optimal_token_baseline(rewards, half, half, mask, eps=1e-12, multi_turn=True)
    assert by_count.advantages == pytest.approx(np.array([[1.0, 0.0, 1.0], [-1.0, -1.0, 0.0]]))
    by_column = optimal_token_baseline(rewards, half, half, mask, eps=1e-12)
    assert by_column.advantages == pytest.approx(np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]), abs=1e-9)


@given(st.integers(0, 3), st.floats(-1e6, 1e6), st.integers(1, 4))
def test_padding_and_what_stands_there_change_nothing(extra, reward, size) -> None:
    rewards, half = np.zeros((size, 2)), np.full((size, 2), 0.5)
    rewards[0, 1] = reward
    plain = optimal_token_baseline(rewards, half, half, np.ones((size, 2)))
    wide = [np.pad(column, ((0, 0), (0, extra)), constant_values=np.nan) for column in (rewards, half, half)]
    padded = optimal_token_baseline(*wide, np.pad(np.ones((size, 2)), ((0, 0), (0, extra))))
    assert padded.advantages[:, :2].tolist() == plain.advantages.tolist()
    assert not padded.advantages[:, 2:].any()


def test_token_baselines_of_episodes(episode, annotated) -> None:
    games = [
        annotated(episode("00", {"0": 4.0}, rewards=(0.0, 4.0), group="g")),
        annotated(episode("0", {"0": 2.0}, rewards=(2.0,), group="g")),
        annotated(episode("", {"0": 9.0}, group="g")),  # never spoke: no part of the group
    ]
    got = otb.credit(games, {}, OptimalTokenBaselineSettings())
    # equal energies: baseline 3 where both have tokens, none in the tail
    assert got.advantages == [[pytest.approx((1.0, 1.0)), (4.0, 4.0)], [pytest.approx((-1.0, -1.0))], []]
    lonely = games[1:]
    with pytest.warns(UserWarning, match="1 of 1 groups have one reward"):
        assert otb.credit(lonely, {}, OptimalTokenBaselineSettings()).advantages == [[(0.0, 0.0)], []]
    assert otb.credit(lonely, {}, OptimalTokenBaselineSettings(singleton="raw")).advantages == [[(2.0, 2.0)], []]
    with pytest.raises(ValueError, match=r"needs train_logprobs.*turn 0 of episode 'e'"):
        otb.credit([episode("0", {"0": 1.0}, group="g")], {}, OptimalTokenBaselineSettings())
    with pytest.raises(ValueError, match="finite numbers where the mask is true"):
        optimal_token_baseline([[math.nan]], [[0.5]], [[0.5]], [[1]])
    with pytest.raises(ValueError, match=r"got shapes \(1, 1\) and \(1, 2\)"):
        optimal_token_baseline([[0.0]], [[0.5]], [[0.5]], [[1, 1]])


# ASPO for tools.


def test_earlier_calls_get_more() -> None:
    # means over the two eligible: position 3, length 4; -2 * (1 - 3) / 4 = 1
    calls = [FirstCall(1, 4), None, FirstCall(5, 4)]
    assert nudges(calls, delta=-2.0).tolist() == [1.0, 0.0, -1.0]
    assert nudges([None], delta=-2.0).tolist() == nudges([FirstCall(0, 0)], delta=-2.0).tolist() == [0.0]


def test_a_nudge_never_turns_the_sign() -> None:
    assert [nudged(1.0, amount, 0.5) for amount in (-9.0, -0.25, 0.25, 9.0)] == [0.5, 0.75, 1.25, 1.5]
    assert nudged(0.0, 9.0, 0.5) == 0.0
    assert nudged(-1.0, 9.0, 0.5) == -0.5


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.sampled_from([0.1, 0.9]))
def test_the_change_is_bounded(advantage, nudge, k) -> None:
    assert abs(nudged(advantage, nudge, k) - advantage) <= k * abs(advantage) * (1 + 1e-9)


def test_aspo_on_episodes(episode) -> None:
    call = ('{"name": "run"}',)
    games = [
        rich(episode("00", {"0": 1.0}, group="g"), tool_calls=[call, ()]),  # 2 of 4 tokens
        rich(episode("000", {"0": 1.0}, group="g"), tool_calls=[(), (), call]),  # 6 of 6
        episode("0", {"0": 1.0}, group="g"),  # right, but without a call
        rich(episode("0", {"0": 0.0}, group="g"), tool_calls=[call]),  # wrong
        rich(episode("0", {"0": 1.0}, group="h"), tool_calls=[call]),  # alone in its group
        rich(episode("0", {"0": 1.0}, group="g", status="timeout"), tool_calls=[call]),
    ]
    before = [[1.0, (1.0, 2.0)], [1.0, None, 1.0], [1.0], [-1.0], [1.0], [None]]
    after, metrics = shape(games, before, ASPOToolSettings(delta=-0.5, k=0.9), "policy")
    # positions 2 and 6, mean length 5: nudges of 1/5 either way
    assert after == [[1.2, (1.2, 2.2)], [0.8, None, 0.8], [1.0], [-1.0], [1.0], [None]]
    assert metrics == {"eligible": 3 / 5}
    assert before[0] == [1.0, (1.0, 2.0)], "the given table is left alone"
    assert SHAPINGS["aspo_tool"].needs == ("groups", "tool_calls")
    assert shape([], [], ASPOToolSettings()) == ([], {"eligible": 0.0})


@pytest.mark.parametrize(
    ("record", "wrong"),
    [
        (GDPOSettings, {"ddof": 2}),
        (GDPOSettings, {"weights": {"task": math.inf}}),
        (CANONSettings, {"metric": "size"}),
        (CANONSettings, {"period": 31}),
        (BNPOSettings, {"cap": 0.0}),
        (BNPOSettings, {"lowest": 1.0, "highest": 1.0}),
        (HAPOSettings, {"eps": 0.0}),
        (OptimalTokenBaselineSettings, {"eps": 0.0}),
        (ASPOToolSettings, {"delta": 1.0}),
        (ASPOToolSettings, {"k": 1.0}),
    ],
)
def test_impossible_settings_are_refused(record, wrong) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        record(**wrong)
