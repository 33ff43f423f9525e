"""The bandits: what arms pay, regret, what is told, and that the known algorithms do well in them."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs.bandits.arms import Arms, bernoulli_arms, gaussian_arms, linear_arms, payment_bounds
from turnwise.envs.bandits.bandit import Bandit
from turnwise.envs.bandits.contextual import ContextualBandit
from turnwise.envs.bandits.scenarios import CONTEXTUAL, MOST_ARMS, MOST_FEATURES, SCENARIOS


def started(seed: int = 0, **kwargs: object) -> Bandit:
    game = Bandit(**kwargs)  # type: ignore[arg-type]
    game.start(np.random.default_rng(seed))
    return game


def rigged(**kwargs: object) -> Bandit:
    """Two arms, red with mean 0.75 and blue with mean 0.25, whose payments are known."""
    game = started(arms=2, horizon=4, **kwargs)
    payments = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    game._names = game._memory.names = ("red", "blue")
    game._made = Arms(np.array([0.75, 0.25]), payments)
    return game


@pytest.mark.parametrize(("level", "best", "rest"), [("easy", 0.75, 0.25), ("hard", 0.6, 0.4)])
def test_bernoulli_arms(level: str, best: float, rest: float) -> None:
    rng, places = np.random.default_rng(0), []
    for _ in range(200):
        arms = bernoulli_arms(5, 100, level, rng)
        assert sorted(arms.means.tolist()) == pytest.approx([rest] * 4 + [best])
        places.append(int(np.argmax(arms.means)))
        assert set(arms.payments.ravel().tolist()) <= {0.0, 1.0}
    assert all(15 < places.count(arm) < 70 for arm in range(5))
    arms = bernoulli_arms(3, 20_000, level, rng)
    assert arms.payments.mean(axis=0) == pytest.approx(arms.means, abs=0.02)


@pytest.mark.parametrize(("level", "spread"), [("easy", 1.0), ("hard", 3.0)])
def test_gaussian_arms(level: str, spread: float) -> None:
    rng = np.random.default_rng(0)
    arms = gaussian_arms(4, 20_000, level, rng)
    assert arms.payments.mean(axis=0) == pytest.approx(arms.means, abs=0.04 * spread)
    assert arms.payments.std(axis=0) == pytest.approx([spread] * 4, rel=0.03)
    means = np.concatenate([gaussian_arms(30, 1, level, rng).means for _ in range(200)])
    assert (abs(means.mean()), means.std()) == (pytest.approx(0, abs=0.06 * spread), pytest.approx(spread, rel=0.03))


def test_linear_arms() -> None:
    arms, contexts = linear_arms(6, 4, 5_000, "easy", np.random.default_rng(0))
    assert contexts.shares.sum(axis=1) == pytest.approx(np.ones(5_000))
    assert (contexts.shares * 20 == (contexts.shares * 20).round()).all()
    assert arms.means == pytest.approx(contexts.shares @ contexts.weights.T)
    assert (arms.payments - arms.means).std() == pytest.approx(0.1, rel=0.05)


@settings(max_examples=40)
@given(
    kind=st.sampled_from(["bernoulli", "gaussian", "linear"]),
    level=st.sampled_from(["easy", "hard"]),
    seed=st.integers(0, 2**32),
)
def test_payments_lie_within_their_bounds(kind: str, level: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    if kind == "linear":
        arms = linear_arms(30, 5, 200, level, rng)[0]
    else:
        arms = {"bernoulli": bernoulli_arms, "gaussian": gaussian_arms}[kind](20, 200, level, rng)
    low, high = payment_bounds(kind, level)
    assert low <= arms.payments.min() and arms.payments.max() <= high
    assert payment_bounds("linear", "hard") == (-1.9, 1.9)


def test_rewards_and_regret_by_hand() -> None:
    game = rigged()
    assert game.ground_truth() == "red"
    assert game.solution() == ("red",) * 4
    assert game.play("blue") == ({"player_0": 0.0}, False, False, {"instant_regret": 0.5, "cumulative_regret": 0.5})
    # the first pull of red pays what it would have paid in the first turn
    assert game.play("red") == ({"player_0": 1.0}, False, False, {"instant_regret": 0.0, "cumulative_regret": 0.5})
    assert game.play("blue").rewards["player_0"] == 1.0
    assert game.solution() == ("red",)
    last = game.play("red")
    assert last == ({"player_0": 1.0}, True, False, {"instant_regret": 0.0, "cumulative_regret": 1.0})
    assert game.observe("player_0") == "red: 1. The game is over. You earned 3 in 4 turns."


def test_utility_bounds() -> None:
    assert Bandit(horizon=30).utility_bounds == (0.0, 30.0)
    assert Bandit(horizon=10, reward="gaussian", level="hard").utility_bounds == (-180.0, 180.0)
    assert ContextualBandit(horizon=10).utility_bounds == pytest.approx((-13.0, 13.0))
    assert (Bandit(level="hard").arms, ContextualBandit(level="hard").arms) == (20, 30)


def test_what_is_told() -> None:
    game = rigged(history="summary", guide=True)
    game.play("red")
    game.play("red")
    # N = 2: sqrt(ln 2 / 2 / 2) = 0.416
    assert game.observe("player_0") == (
        "red: 1. Turn 3 of 4.\n"
        "red: chosen 2 times, mean 1, exploitation value 1, exploration bonus 0.42\n"
        "blue: not chosen yet, exploitation value 0, exploration bonus infinite"
    )
    raw = rigged(history="raw")
    raw.play("blue")
    assert raw.observe("player_0") == "blue: 0. Turn 2 of 4."
    assert raw.board("player_0") == "Turn 2 of 4.\n1. blue: 0\nred: not chosen yet\nblue: chosen 1 time, mean 0"
    hints = rigged(history="raw", guide=True)
    hints.play("blue")
    assert hints.observe("player_0") == (
        "blue: 0. Turn 2 of 4.\nred: exploitation value 0, exploration bonus infinite\n"
        "blue: exploitation value 0, exploration bonus 0"
    )


def test_compact_words() -> None:
    game = rigged(prompt="compact", guide=True)
    for arm in ("red", "red", "blue"):
        game.play(arm)
    # ln 3 / 2 / 2 and ln 3 / 2 / 1: roots 0.524 and 0.741
    assert game.observe("player_0") == "turn 4 of 4: red 2 1 (1 + 0.52), blue 1 0 (0 + 0.74)"
    game.play("blue")
    assert game.observe("player_0") == "over 3"
    raw = rigged(prompt="compact", history="raw")
    for arm in ("red", "blue", "red"):
        raw.play(arm)
    assert raw.observe("player_0") == "turn 4 of 4: red 1 1, blue 0"
    assert raw.anchor() == "red 1 1, blue 0"


def test_states_reached_in_another_order_are_one() -> None:
    one, other = started(), started()
    first, second = one.legal()[:2]
    for game, pulls in ((one, (first, second, first)), (other, (second, first, first))):
        for arm in pulls:
            game.play(arm)
    assert one.anchor() == other.anchor()


def test_every_scenario_has_names_enough_and_an_episode_draws_its_own() -> None:
    for scenario in (*SCENARIOS.values(), *CONTEXTUAL.values()):
        assert len(set(scenario.arms)) == len(scenario.arms) == MOST_ARMS
        assert len(scenario.features) in (0, MOST_FEATURES)
        assert not scenario.features or MOST_FEATURES == 10
    assert started(1).legal() != started(2).legal()
    assert started(scenario="ads").task == "bernoulli ads"


def ucb_regret(seed: int, horizon: int) -> float:
    """Expected regret of the seat that follows the hints."""
    game, step = started(seed, horizon=horizon, guide=True), None
    while game.seat is not None:
        hints = game._hints()
        assert hints is not None
        step = game.play(game.legal()[int(np.argmax(hints.total))])
    assert step is not None
    return float(step.info["cumulative_regret"])


def test_the_guide_leads_to_little_regret() -> None:
    # random play loses 0.4 a turn: 120 of 300
    assert np.mean([ucb_regret(seed, 300) for seed in range(4)]) < 30


# Contexts


def visited(seed: int = 0, **kwargs: object) -> ContextualBandit:
    game = ContextualBandit(**kwargs)  # type: ignore[arg-type]
    game.start(np.random.default_rng(seed))
    return game


def test_the_best_arm_follows_the_visitor() -> None:
    game = visited(horizon=30)
    best = game.ground_truth().split()
    assert len(best) == 30 and len(set(best)) > 1
    game.play(game.legal()[0])
    assert game.solution() == tuple(best[1:])
    step = game.play(best[1])
    assert step.info["instant_regret"] == 0.0
    assert step.info["cumulative_regret"] == pytest.approx(game._made.means[0].max() - game._made.means[0][0])


def test_a_visitor_is_described() -> None:
    game = visited(features=3, horizon=2, arms=2)
    game._contexts.shares[0] = [0.25, 0.0, 0.75]
    assert "\nVisitor: sports 0.25, travel 0.75\n" in game.observe("player_0")
    short = visited(features=3, horizon=2, arms=2, prompt="compact")
    first, second = short.legal()
    short._contexts.shares[0] = [0.25, 0.0, 0.75]
    assert short.observe("player_0") == f"turn 1 of 2, sports 0.25, travel 0.75: {first} 0, {second} 0"


def test_anchors_tell_episodes_and_pasts_apart() -> None:
    game, twin, other = visited(), visited(), visited(1)
    assert game.anchor() == twin.anchor() != other.anchor()
    first, second = game.legal()[:2]
    game.play(first)
    twin.play(second)
    assert game.anchor() != twin.anchor()


def test_the_hints_are_linucbs() -> None:
    game = visited(features=2, horizon=3, arms=2, guide=True)
    game._contexts.shares[:2] = [[1.0, 0.0], [0.5, 0.5]]
    game._made.payments[0] = [1.0, 0.0]
    game.play(game.legal()[0])
    hints = game._hints()
    assert hints is not None
    # arm 0: A = diag(2, 1), theta = (1/2, 0), x' A^-1 x = 1/8 + 1/4; arm 1 has not been tried
    assert hints.exploit.tolist() == [0.25, 0.0]
    assert hints.bonus.tolist() == pytest.approx([0.5 * 0.375**0.5, inf])


def test_linucb_loses_less_than_random_play() -> None:
    lost = {"hints": 0.0, "random": 0.0}
    for seed in range(3):
        for player in lost:
            game, rng, step = visited(seed, horizon=150, guide=True, arms=5), np.random.default_rng(seed), None
            while game.seat is not None:
                hints = game._hints()
                assert hints is not None
                arm = int(np.argmax(hints.total)) if player == "hints" else int(rng.integers(5))
                step = game.play(game.legal()[arm])
            assert step is not None
            lost[player] += step.info["cumulative_regret"]
    assert lost["hints"] < 0.5 * lost["random"]
