"""Ratings: numbers by hand and by other packages, samples of a known model, and what they must not depend on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.algorithms.tournament.alpharank import alpha_rank
from turnwise.algorithms.tournament.elo import MEAN, SCALE, bradley_terry, elo
from turnwise.algorithms.tournament.games import Game, record
from turnwise.algorithms.tournament.nash import nash_average, support
from turnwise.algorithms.tournament.payoffs import antisymmetric, payoffs
from turnwise.algorithms.tournament.skill import skill

ROCK_PAPER_SCISSORS = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])


def game(first: str, second: str, deal: int, score: float) -> Game:
    """A game of a zero-sum pair in which the first player gets 1, 0 or -1 for a score of 1, 1/2 or 0."""
    got = 2 * score - 1
    return Game(first=first, second=second, deal=f"{deal:05d}", first_return=got, second_return=-got)


def sample(strengths: dict[str, float], draw: float, deals: int, seed: int) -> list[Game]:
    """Games of everybody against everybody, twice a deal, under the model of the ratings."""
    rng, found = np.random.default_rng(seed), []
    for deal in range(deals):
        for first, second in [*itertools.combinations(strengths, 2)] * 2:
            odds = np.exp([strengths[first], strengths[second], (strengths[first] + strengths[second]) / 2])
            odds[2] *= draw
            found.append(game(first, second, deal, float(rng.choice([1.0, 0.0, 0.5], p=odds / odds.sum()))))
    return found


# Elo


def test_two_players_by_hand() -> None:
    # 30 won, 10 lost: odds of 3 to 1, a difference of 400 log10(3) = 190.85 points
    strength, _ = bradley_terry(np.array([[0.0, 30], [10, 0]]), np.zeros((2, 2)))
    assert SCALE * (strength[0] - strength[1]) == pytest.approx(400 * math.log10(3), abs=1e-4)
    assert strength.sum() == pytest.approx(0, abs=1e-12)


def test_draws_by_hand() -> None:
    # Davidson: won : lost : drawn are s : 1/s : draw with s = exp(d / 2), so s^2 = 20/5, and 10 = 20 * draw / s
    even = np.array([[0.0, 10], [10, 0]])
    strength, draw = bradley_terry(np.array([[0.0, 20], [5, 0]]), even)
    assert strength[0] - strength[1] == pytest.approx(math.log(4), abs=1e-6)
    assert draw == pytest.approx(1.0, abs=1e-6)


def test_three_players_as_by_plain_iteration() -> None:
    """Zermelo's iteration: strength = games won / sum of games / (own + other's strength)."""
    wins = np.array([[0.0, 7, 4], [3, 0, 6], [2, 5, 0]])
    games, strengths = wins + wins.T, np.ones(3)
    for _ in range(5_000):
        strengths = wins.sum(1) / (games / (strengths[:, None] + strengths[None, :])).sum(1)
        strengths /= np.exp(np.log(strengths).mean())
    found, _ = bradley_terry(wins, np.zeros((3, 3)))
    assert found == pytest.approx(np.log(strengths), abs=1e-5)


def test_who_won_every_game_needs_the_prior() -> None:
    wins = np.array([[0.0, 10], [0, 0]])
    with pytest.raises(ValueError, match="no maximum"):
        bradley_terry(wins, np.zeros((2, 2)))
    strength, _ = bradley_terry(wins, np.zeros((2, 2)), prior=1.0)
    # at the maximum, what is missing in won games is what the prior pulls: 10 (1 - p) = tanh(strength / 2) / 2
    chance = 1 / (1 + math.exp(strength[1] - strength[0]))
    assert 10 * (1 - chance) == pytest.approx(math.tanh(strength[0] / 2) / 2, abs=1e-3)


def test_ratings_of_a_sample_hold_the_truth() -> None:
    truth = {"a": 0.9, "b": 0.3, "c": -0.2, "d": -1.0}
    inside = 0
    for seed in range(8):
        games = record(sample(truth, draw=0.6, deals=100, seed=seed), list(truth))
        found = elo(games, np.random.default_rng(seed), samples=100, prior=0.0)
        wanted = MEAN + SCALE * np.array(list(truth.values()))
        inside += int(((found.low <= wanted) & (wanted <= found.high)).sum())
        assert found.rating == pytest.approx(wanted, abs=120)
        assert found.draw == pytest.approx(0.6, abs=0.2)
    assert inside >= 27  # of 32 intervals of 95%: 30 are expected


@settings(max_examples=15)
@given(st.permutations(["a", "b", "c", "d"]), st.integers(0, 3))
def test_the_order_of_the_players_does_not_matter(order: list[str], seed: int) -> None:
    truth = {"a": 0.9, "b": 0.3, "c": -0.2, "d": -1.0}
    games = sample(truth, draw=0.5, deals=8, seed=seed)
    names = sorted(order)
    mine, theirs = (record(games, listed) for listed in (names, order))
    back = [order.index(name) for name in names]
    one, other = (elo(it, np.random.default_rng(0), samples=5) for it in (mine, theirs))
    for name in ("rating", "low", "high"):
        assert getattr(other, name)[back] == pytest.approx(getattr(one, name), abs=1e-5)
    turned = [games[index] for index in np.random.default_rng(seed).permutation(len(games))]
    assert skill(turned, order).mean[back] == pytest.approx(skill(games, names).mean, abs=1e-9)
    averages = [nash_average(antisymmetric(payoffs(it, np.random.default_rng(0)).mean)) for it in (mine, theirs)]
    assert averages[1].shares[back] == pytest.approx(averages[0].shares, abs=1e-5)


# TrueSkill-like


def test_skill_is_openskills_own() -> None:
    from openskill.models import PlackettLuce

    model = PlackettLuce()
    a, b = model.rating(), model.rating()
    (a,), (b,) = model.rate([[a], [b]])
    (b,), (a,) = model.rate([[b], [a]], ranks=[1, 1])
    found = skill([game("b", "a", 2, 0.5), game("a", "b", 1, 1.0)], ["b", "a"])
    assert found.mean.tolist() == pytest.approx([b.mu, a.mu])
    assert found.deviation.tolist() == pytest.approx([b.sigma, a.sigma])
    assert (found.low < found.mean).all() and (found.mean < found.high).all()


# Payoffs


def test_payoffs_by_hand() -> None:
    games = [
        Game(first="a", second="b", deal="1", first_return=2.0, second_return=-2.0),
        Game(first="b", second="a", deal="1", first_return=1.0, second_return=-1.0),
        Game(first="a", second="b", deal="2", first_return=2.0, second_return=-2.0),
    ]
    found = payoffs(record(games, ["a", "b", "c"]), np.random.default_rng(0))
    assert found.mean[0, 1] == pytest.approx(1.0)
    assert found.mean[1, 0] == pytest.approx(-1.0)
    assert np.isnan(found.mean[0, 2]) and np.isnan(found.mean[0, 0])
    assert (found.low[0, 1], found.high[0, 1]) == (0.5, 2.0)  # deal 1 twice, deal 2 twice
    assert found.games.tolist() == [[0, 3, 0], [3, 0, 0], [0, 0, 0]]
    assert not found.complete
    with pytest.raises(ValueError, match="some pairs have no games"):
        antisymmetric(found.mean)


# Nash averaging


def test_rock_paper_scissors_is_uniform() -> None:
    found = nash_average(ROCK_PAPER_SCISSORS)
    assert found.shares == pytest.approx([1 / 3] * 3, abs=1e-7)
    assert found.rating == pytest.approx([0] * 3, abs=1e-7)


def test_a_copy_changes_nobodys_rating() -> None:
    with_copy = ROCK_PAPER_SCISSORS[[0, 1, 2, 2]][:, [0, 1, 2, 2]]
    found = nash_average(with_copy)
    assert found.shares == pytest.approx([1 / 3, 1 / 3, 1 / 6, 1 / 6], abs=1e-6)
    assert found.rating == pytest.approx([0] * 4, abs=1e-6)


def test_who_beats_everybody_is_the_equilibrium() -> None:
    transitive = np.array([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]], dtype=float)
    found = nash_average(transitive)
    assert found.shares == pytest.approx([1, 0, 0], abs=1e-9)
    assert found.rating == pytest.approx([0, -1, -2])


def test_all_alike_is_uniform() -> None:
    assert nash_average(np.zeros((5, 5))).shares == pytest.approx([0.2] * 5)


def test_uneven_rock_paper_scissors_by_hand() -> None:
    # p is proportional to what the two others play for: rock against paper 3, paper-scissors 2, scissors-rock 1
    uneven = np.array([[0.0, -3, 1], [3, 0, -2], [-1, 2, 0]])
    assert nash_average(uneven).shares == pytest.approx([2 / 6, 1 / 6, 3 / 6], abs=1e-7)


@settings(max_examples=60)
@given(st.integers(2, 7), st.integers(0, 10_000))
def test_no_player_gains_against_the_equilibrium_and_none_is_more_even(players: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    half = rng.integers(-3, 4, (players, players)).astype(float)
    advantage = half - half.T
    found = nash_average(advantage)
    assert found.shares.min() >= 0 and found.shares.sum() == pytest.approx(1)
    assert found.rating.max() <= 1e-5 * max(1, np.abs(advantage).max())
    members = support(advantage)
    assert (found.shares[~members] == 0).all() and (found.shares[members] > 0).all()
    # the gradient of the entropy has no part along the equilibria: log p is a sum of the tight rows and a constant
    tight = found.rating > -1e-6
    columns = np.vstack([advantage[tight][:, members], np.ones(members.sum())]).T
    logs = np.log(found.shares[members])
    left = logs - columns @ np.linalg.lstsq(columns, logs, rcond=None)[0]
    assert np.abs(left).max() < 1e-6


def test_what_is_not_antisymmetric_is_refused() -> None:
    with pytest.raises(ValueError, match="antisymmetric"):
        nash_average(np.ones((2, 2)))


# alpha-rank


@pytest.mark.parametrize("pressure", [0.01, 0.3, 2.0, None])
@pytest.mark.parametrize("seed", range(4))
def test_alpha_rank_is_openspiels(pressure: float | None, seed: int) -> None:
    from open_spiel.python.egt import alpharank

    rng = np.random.default_rng(seed)
    payoff = ROCK_PAPER_SCISSORS if seed == 0 else rng.normal(size=(seed + 2, seed + 2)).round(1)
    settings = {"use_inf_alpha": True, "inf_alpha_eps": 0.01} if pressure is None else {"alpha": pressure}
    wanted = alpharank.compute([payoff], m=20, **settings)[2]
    assert alpha_rank(payoff, pressure=pressure, population=20) == pytest.approx(wanted, abs=1e-7)


def test_alpha_rank_of_a_cycle_and_of_a_ladder() -> None:
    assert alpha_rank(ROCK_PAPER_SCISSORS) == pytest.approx([1 / 3] * 3)
    ladder = alpha_rank(np.array([[0.0, 1, 1], [-1, 0, 1], [-1, -1, 0]]))
    assert ladder[0] > 0.97 and ladder[0] > ladder[1] > ladder[2]
    assert alpha_rank(np.zeros((1, 1))).tolist() == [1.0]


def test_alpha_rank_refuses_holes_and_bears_any_pressure() -> None:
    with pytest.raises(ValueError, match="some pairs have no games"):
        alpha_rank(np.array([[0, math.nan], [math.nan, 0]]))
    beaten = np.array([[0.0, -50, -50], [50, 0, 0], [50, 0, 0]])
    assert alpha_rank(beaten, pressure=100.0).tolist() == pytest.approx([0, 0.5, 0.5])


def test_games_of_strangers_are_refused() -> None:
    strangers: Sequence[Game] = [game("a", "x", 1, 1.0)]
    with pytest.raises(ValueError, match="got a against x"):
        record(strangers, ["a", "b"])
    with pytest.raises(ValueError, match="at least one game"):
        record([], ["a", "b"])
