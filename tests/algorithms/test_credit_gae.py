"""GAE per turn and per token, extended GAE of cut replies, whitening."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.credit import CREDITS, tppo
from turnwise.algorithms.credit.gae import GAESettings, credit, gae, gae_rows
from turnwise.algorithms.credit.returns import discounted_sums, rewards_to_go
from turnwise.algorithms.credit.tppo import TPPOSettings, extended_gae
from turnwise.algorithms.credit.whiten import whiten, whiten_credit
from turnwise.records import Episode, Turn

HALF = {"gamma": 0.5, "lam": 0.5}


def test_by_hand() -> None:
    # differences: 0 + .25/2 - .5 = -.375; 0 + .75/2 - .25 = .125; 1 + 0 - .75 = .25
    # advantages: .25; .125 + .25/4 = .1875; -.375 + .1875/4 = -.328125
    assert gae([0.0, 0.0, 1.0], [0.5, 0.25, 0.75], **HALF).tolist() == [-0.328125, 0.1875, 0.25]
    # with a state worth 1/2 after the end the last difference is 1 + .25 - .75 = .5
    assert gae([0.0, 0.0, 1.0], [0.5, 0.25, 0.75], bootstrap=0.5, **HALF).tolist() == [-0.3125, 0.25, 0.5]
    assert gae([], [], **HALF).tolist() == []


def test_environment_tokens_are_skipped() -> None:
    # the row without its middle column; the middle one shows what comes after it
    skipped = gae([0.0, 9.0, 1.0], [0.5, 99.0, 0.75], mask=[1, 0, 1], **HALF)
    assert skipped.tolist() == [-0.0625, 0.25, 0.25]
    assert skipped[[0, 2]].tolist() == gae([0.0, 1.0], [0.5, 0.75], **HALF).tolist()
    ran_through = gae([0.0, 0.0, 1.0], [0.5, 0.25, 0.75], mask=[1, 0, 1], skip_masked=False, **HALF)
    assert ran_through.tolist() == [-0.328125, 0.1875, 0.25]


rows = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.booleans()), max_size=8).map(
    lambda row: tuple(list(column) for column in zip(*row, strict=True)) if row else ([], [], [])
)
shares = st.sampled_from([0.0, 0.5, 0.9, 1.0])


@given(rows, shares, shares, st.booleans(), st.floats(-1e6, 1e6))
def test_never_nan_and_environment_tokens_do_not_matter(row, gamma, lam, skip, end) -> None:
    rewards, values, mask = row
    got = gae(rewards, values, gamma=gamma, lam=lam, mask=mask, skip_masked=skip, bootstrap=end)
    assert np.isfinite(got).all()
    kept = [(reward, value) for reward, value, inside in zip(rewards, values, mask, strict=True) if inside]
    alone = gae([r for r, _ in kept], [v for _, v in kept], gamma=gamma, lam=lam, bootstrap=end)
    if skip:
        assert got[np.array(mask, dtype=bool)].tolist() == alone.tolist()


def loop(rewards, values, mask, gamma, lam, after):
    """The definition, step by step."""
    found, advantage = [0.0] * len(rewards), 0.0
    for step in reversed(range(len(rewards))):
        if mask[step]:
            advantage = rewards[step] + gamma * after - values[step] + gamma * lam * advantage
            after = values[step]
        found[step] = advantage
    return found


@pytest.mark.parametrize("shape", [(0, 0), (1, 0), (1, 1), (3, 1), (4, 37), (2, 300)])
@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.0), (1.0, 1.0)])
def test_many_rows_at_once_are_the_loop(shape, gamma, lam) -> None:
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(2, *shape))
    mask, ends = rng.random(shape) < 0.7, rng.normal(size=shape[0])
    got = gae_rows(rewards, values, mask, gamma=gamma, lam=lam, bootstrap=ends)
    for row, *columns in zip(got, rewards, values, mask, ends, strict=True):
        assert row.tolist() == pytest.approx(loop(*columns[:3], gamma, lam, columns[3]), abs=1e-12)
    for row, sums in zip(rewards, discounted_sums(rewards, gamma), strict=True):
        assert sums.tolist() == pytest.approx(rewards_to_go(row, gamma), abs=1e-12)


@given(rows, st.sampled_from([0.5, 1.0]))
def test_lambda_one_is_monte_carlo_and_zero_is_one_step(row, gamma) -> None:
    rewards, values, _ = row
    monte_carlo = gae(rewards, values, gamma=gamma, lam=1.0) + values
    assert monte_carlo == pytest.approx(rewards_to_go(rewards, gamma), abs=1e-6)
    after = [*values[1:], 0.0]
    one_step = [r + gamma * later - v for r, later, v in zip(rewards, after, values, strict=False)]
    assert gae(rewards, values, gamma=gamma, lam=0.0) == pytest.approx(one_step)


def test_columns_must_line_up_and_be_finite() -> None:
    with pytest.raises(ValueError, match=r"one entry per step: got \[1, 2\]"):
        gae([0.0], [0.0, 0.0], **HALF)
    with pytest.raises(ValueError, match="finite"):
        gae([float("nan")], [0.0], **HALF)


# Whitening.


def test_whitening_by_hand() -> None:
    assert whiten(np.array([1.0, 3.0])) == pytest.approx([-(0.5**0.5), 0.5**0.5])  # sample variance 2
    # 1 counted once and 3 three times: mean 5/2, variance (9/4 + 3/4) / 3 = 1
    assert whiten(np.array([1.0, 3.0]), np.array([1.0, 3.0])) == pytest.approx([-1.5, 0.5])
    assert whiten(np.array([5.0])).tolist() == [0.0]
    assert whiten(np.array([5.0, 7.0]), np.array([1.0, 0.0])).tolist() == [0.0, 2.0]
    assert whiten(np.array([])).tolist() == []


@given(st.lists(st.floats(-1e6, 1e6), max_size=8), st.floats(-1e6, 1e6))
def test_whitening_never_goes_nan_and_ignores_a_constant(values, constant) -> None:
    assert np.isfinite(whiten(np.array(values))).all()
    assert whiten(np.full(len(values), constant)).tolist() == [0.0] * len(values)


def test_a_turn_counts_once_or_once_per_token(episode) -> None:
    games = [episode("00", {"0": 0.0}, silent=(1,)), episode("0", {"0": 0.0})]
    longer = dataclasses.replace(games[1].turns[0], completion_ids=(1,) * 6, logprobs=(-1.0,) * 6)
    games[1] = dataclasses.replace(games[1], turns=(longer,))
    table = [[1.0, None], [3.0]]
    assert whiten_credit(table)[0] == [pytest.approx(-(0.5**0.5)), None]
    # two tokens of 1 and six of 3: mean 5/2, variance (2 * 9/4 + 6 * 1/4) / 7 = 6/7
    by_token = whiten_credit(table, games)
    assert by_token[0] == [pytest.approx(-1.5 * (7 / 6) ** 0.5), None]
    assert whiten_credit([[(1.0, 3.0), None]]) == [[pytest.approx((-(0.5**0.5), 0.5**0.5)), None]]


# Episodes.


def game(*turns, status="ok", seat="a", **fields):
    """Turns of (seat, reward, values of its tokens); the value of a turn is that of its first token."""
    return Episode(
        id="e",
        env_id="Game",
        seats={"a": "policy", "b": "random"},
        returns={name: sum(reward for who, reward, _ in turns if who == name) for name in "ab"},
        status=status,
        turns=tuple(
            Turn(
                seat=who,
                observation=(),
                text="",
                reward=reward,
                completion_ids=(1,) * len(values),
                logprobs=(-1.0,) * len(values),
                value=values[0] if values else None,
                token_values=tuple(values),
            )
            for who, reward, values in turns
        ),
        **fields,
    )


PLAY = game(("a", 0.0, [0.5, 0.25]), ("b", 5.0, [9.0]), ("a", 1.0, [0.75]))


def test_per_turn() -> None:
    settings = GAESettings(per="turn", whiten=False, **HALF)
    got = credit([PLAY], {}, settings)
    # differences: 0 + .75/2 - .5 = -.125; 1 - .75 = .25; first advantage -.125 + .25/4 = -.0625
    assert got.advantages == [[-0.0625, None, 0.25]]
    assert got.targets == [[0.4375, None, 1.0]]
    assert got.state == {}
    # targets .4375 and 1 have variance (.28125)^2, what was missed (.15625)^2
    assert got.metrics["explained_variance"] == pytest.approx(1 - (0.15625 / 0.28125) ** 2)


def test_per_token_runs_over_what_others_say() -> None:
    got = credit([PLAY], {}, GAESettings(per="token", whiten=False, **HALF))
    assert got.advantages == [[(-0.328125, 0.1875), None, (0.25,)]]  # the row of test_by_hand
    assert got.targets == [[(0.171875, 0.4375), None, (1.0,)]]


@pytest.mark.parametrize("per", ["turn", "token"])
def test_a_cut_episode_goes_on_with_the_value_of_its_last_state(per) -> None:
    cut = game(("a", 0.0, [0.5]), status="truncated", end_values={"a": 1.0})
    settings = GAESettings(per=per, whiten=False, gamma=0.5)
    entry = (0.0,) if per == "token" else 0.0
    assert credit([cut], {}, settings).advantages == [[entry]]  # 0 + 1/2 * 1 - 1/2
    released = dataclasses.replace(settings, bootstrap_truncated=False)
    assert credit([cut], {}, released).advantages == [[(-0.5,) if per == "token" else -0.5]]
    finished = dataclasses.replace(cut, status="ok")
    assert credit([finished], {}, settings).advantages == credit([cut], {}, released).advantages
    with pytest.raises(ValueError, match=r"needs end_values.*seat 'a' of episode 'e'.*filled in by a critic"):
        credit([dataclasses.replace(cut, end_values=None)], {}, settings)


def test_targets_are_not_whitened() -> None:
    whitened = credit([PLAY], {}, GAESettings(per="turn", **HALF))
    assert whitened.targets == [[0.4375, None, 1.0]]
    assert whitened.advantages == [[pytest.approx(-(0.5**0.5)), None, pytest.approx(0.5**0.5)]]


def test_a_turn_without_tokens_earns_for_the_one_before() -> None:
    quiet = game(("a", 1.0, []), ("a", 0.0, [0.5]), ("a", 2.0, []))
    assert credit([quiet], {}, GAESettings(whiten=False)).advantages == [[None, 1.5, None]]
    assert credit([game(("a", 1.0, []))], {}, GAESettings()).advantages == [[None]]


def test_missing_values_are_named() -> None:
    def without(**fields):
        return dataclasses.replace(PLAY, turns=(dataclasses.replace(PLAY.turns[0], **fields), *PLAY.turns[1:]))

    with pytest.raises(ValueError, match=r"needs value.*got None at turn 0 of episode 'e'; value is filled in by"):
        credit([without(value=None)], {}, GAESettings(per="turn"))
    with pytest.raises(ValueError, match=r"needs token_values.*got None at turn 0 of episode 'e'"):
        credit([without(token_values=None)], {}, GAESettings(per="token"))
    with pytest.raises(ValueError, match="got None at token 1 of turn 0 of episode 'e'"):
        credit([without(token_values=(0.5, None))], {}, GAESettings(per="token"))


def test_needs_follow_the_settings() -> None:
    assert CREDITS["gae"].needs_with(GAESettings(per="turn")) == ("values",)
    assert CREDITS["gae"].needs_with(GAESettings(per="token")) == ("token_values",)
    assert CREDITS["tppo"].needs_with(TPPOSettings()) == ("token_values",)
    assert CREDITS["return"].needs_with(None) == ()


# Replies that are cut at a window.


def test_extended_gae_by_hand() -> None:
    # cut: the state after it is worth 1/4 as the one before; differences 1/4 - 1/2 and 0
    cut = extended_gae([0.0, 0.0], [0.5, 0.25], gamma=1.0, lam=0.5, finished=False)
    assert cut.tolist() == [-0.25, 0.0]
    asked = extended_gae([0.0, 0.0], [0.5, 0.25], gamma=1.0, lam=0.5, finished=False, end_value=1.25)
    assert asked.tolist() == [0.25, 1.0]
    whole = extended_gae([0.0, 1.0], [0.5, 0.25], gamma=1.0, lam=0.5, finished=True, end_value=9.0)
    assert whole.tolist() == [0.125, 0.75]
    assert extended_gae([], [], gamma=1.0, lam=0.5, finished=False).tolist() == []


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=8))
def test_without_rewards_a_cut_chunk_is_worth_the_difference_of_values(values) -> None:
    got = extended_gae([0.0] * len(values), values, gamma=1.0, lam=1.0, finished=False)
    assert got == pytest.approx(values[-1] - np.array(values), abs=1e-9)


def test_the_critic_learns_from_finished_chunks_only() -> None:
    whole = game(("a", 0.0, [0.5]), ("a", 1.0, [0.25]))
    cut = dataclasses.replace(whole, metadata={"unfinished": True})
    truncated = dataclasses.replace(whole, status="truncated", end_values={"a": 1.25})
    settings = TPPOSettings(gamma=0.5, lam=0.5, whiten=False)
    got = tppo.credit([whole, cut, truncated], {}, settings)
    assert got.targets == [[(0.5,), (1.0,)], [None, None], [None, None]]
    # finished: 1 - 1/4; cut: 1 + 1/2 * 1/4 - 1/4; asked: 1 + 1/2 * 5/4 - 1/4
    assert [row[1] for row in got.advantages] == [(0.75,), (0.875,), (0.875,)]
    asked = tppo.credit([truncated], {}, dataclasses.replace(settings, bootstrap="end_value"))
    assert asked.advantages[0][1] == (1.375,)
    with pytest.raises(ValueError, match=r"needs end_values"):
        tppo.credit([cut], {}, dataclasses.replace(settings, bootstrap="end_value"))


@pytest.mark.parametrize(
    ("record", "wrong"),
    [(GAESettings, {"per": "word"}), (GAESettings, {"lam": 2.0}), (TPPOSettings, {"bootstrap": "x"})],
)
def test_impossible_settings_are_refused(record, wrong) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        record(**wrong)
