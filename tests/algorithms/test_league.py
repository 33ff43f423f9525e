"""Who plays whom, from which seed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.agents.plan import Plan
from turnwise.algorithms.games import Arm
from turnwise.algorithms.league import LEARNER, OPPONENT
from turnwise.algorithms.matchmaker import Matchmaker
from turnwise.algorithms.recipes import AlgorithmSettings
from turnwise.algorithms.settings import AgentSettings, EnvSettings, RunSettings

SEATS = ("player_0", "player_1")


def settings(*, opponent: str = "self", games: int = 8, group: int = 1, seed: int = 0) -> RunSettings:
    return RunSettings(
        env=EnvSettings(id="KuhnPoker-LLM"),
        agent=AgentSettings(opponent=opponent),
        algorithm=AlgorithmSettings(group_size=group),
        games_per_step=games,
        seed=seed,
    )


def plan_step(of: RunSettings, seats: tuple[str, ...], step: int) -> list[Plan]:
    """The plans of a run of one game."""
    return Matchmaker(of, [Arm(name=of.env.id, id=of.env.id, kwargs={}, seats=seats)], None).plans(step)


@given(step=st.integers(0, 10**6), seed=st.integers(0, 2**32))
def test_a_step_s_plans_follow_from_seed_and_step_alone(step: int, seed: int) -> None:
    first = plan_step(settings(seed=seed), SEATS, step)
    assert plan_step(settings(seed=seed), SEATS, step) == first
    for other in (plan_step(settings(seed=seed), SEATS, step + 1), plan_step(settings(seed=seed + 1), SEATS, step)):
        assert not {plan.seed for plan in other} & {plan.seed for plan in first}


def test_in_self_play_the_policy_sits_everywhere() -> None:
    plans = plan_step(settings(), SEATS, 3)
    assert [plan.seats for plan in plans] == [dict.fromkeys(SEATS, LEARNER)] * 8
    assert [plan.id for plan in plans] == [f"3-{index}" for index in range(8)]
    assert len({plan.seed for plan in plans}) == 8
    assert {plan.stream for plan in plans} == {0}
    assert {plan.env_id for plan in plans} == {"KuhnPoker-LLM"}


@pytest.mark.parametrize("games", [7, 8])
def test_against_a_fixed_opponent_the_policy_s_seat_moves_on(games: int) -> None:
    """Game by game, and from step to step, so that an odd number of games is fair in the long run too."""
    chairs = []
    for step in range(4):
        for plan in plan_step(settings(opponent="random", games=games), SEATS, step):
            assert sorted(plan.seats.values()) == [OPPONENT, LEARNER]
            chairs.append(next(seat for seat, who in plan.seats.items() if who == LEARNER))
    assert chairs == [SEATS[index % 2] for index in range(4 * games)]


def test_a_group_is_one_deal_played_anew_from_one_seat() -> None:
    plans = plan_step(settings(opponent="random", games=12, group=4), SEATS, 5)
    groups = [plans[start : start + 4] for start in (0, 4, 8)]
    for number, group in enumerate(groups):
        assert {plan.group for plan in group} == {f"5-{number}"}
        assert len({plan.seed for plan in group}) == 1
        assert [plan.stream for plan in group] == [0, 1, 2, 3]
        assert len({tuple(plan.seats.items()) for plan in group}) == 1
    assert len({group[0].seed for group in groups}) == 3
    seats = Counter(next(seat for seat, who in group[0].seats.items() if who == LEARNER) for group in groups)
    assert sorted(seats.values()) == [1, 2]


def test_with_three_seats_the_policy_takes_each() -> None:
    seats = ("player_0", "player_1", "player_2")
    plans = plan_step(settings(opponent="random", games=6), seats, 0)
    mine = [next(seat for seat, who in plan.seats.items() if who == LEARNER) for plan in plans]
    assert mine == list(seats) * 2
