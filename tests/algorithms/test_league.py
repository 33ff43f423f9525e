"""Who plays whom, from which seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from turnwise.agents.plan import Plan
from turnwise.algorithms.checkpoint import load_checkpoint
from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.games import Arm
from turnwise.algorithms.league import LEARNER, OPPONENT
from turnwise.algorithms.matchmaker import Matchmaker
from turnwise.algorithms.pool import PICKS, LeagueSettings, chances, draw_opponents, remember, result_of
from turnwise.algorithms.recipes import AlgorithmSettings
from turnwise.algorithms.reporting.runlog import read_metrics
from turnwise.algorithms.run import Run
from turnwise.algorithms.settings import AgentSettings, EnvSettings, RunSettings
from turnwise.algorithms.startup import saved_policy
from turnwise.algorithms.trainer import train

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


# --- the pool: chances, draws and what is known of everybody, by hand -------------------------------------------------

LOST = {"random": 0.0, "league-0": 0.25, "league-4": 0.5}


def test_who_wins_more_is_met_more() -> None:
    # squares of the shares: 0, 1/16, 1/4; of their sum 5/16: 0, 1/5, 4/5
    assert chances(LOST, LeagueSettings(pick="prioritised")) == pytest.approx(
        {"random": 0.0, "league-0": 0.2, "league-4": 0.8}
    )
    assert chances(LOST, LeagueSettings(pick="prioritised", exponent=1.0))["league-0"] == pytest.approx(1 / 3)
    even = {"random": 1 / 3, "league-0": 1 / 3, "league-4": 1 / 3}
    assert chances(LOST, LeagueSettings()) == pytest.approx(even)
    assert chances(dict.fromkeys(LOST, 0.0), LeagueSettings(pick="prioritised")) == pytest.approx(even)
    assert chances(LOST, LeagueSettings(pick="newest")) == {"random": 0.0, "league-0": 0.0, "league-4": 1.0}
    with pytest.raises(ValueError, match="a league needs an opponent to draw"):
        chances({}, LeagueSettings())


def test_what_is_known_of_an_opponent_fades_game_by_game() -> None:
    settings = LeagueSettings(memory=0.5)
    results = [("league-4", 1.0), ("league-4", 0.0), ("league-0", 0.5), ("league-9", 1.0)]  # the last one has left
    assert remember(LOST, results, settings) == {"random": 0.0, "league-0": 0.375, "league-4": 0.375}
    assert [result_of(1.0, [-1.0]), result_of(0.0, [0.0]), result_of(0.5, [1.0, 0.5])] == [0.0, 0.5, 1.0]


@given(
    lost=st.dictionaries(st.text(max_size=3), st.floats(0, 1), min_size=1, max_size=6),
    pick=st.sampled_from(PICKS),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**40),
)
def test_draws_follow_from_the_seed_and_name_members_only(
    lost: dict[str, float], pick: str, share: float, seed: int
) -> None:
    settings = LeagueSettings(pick=pick, self_share=share)
    assert sum(chances(lost, settings).values()) == pytest.approx(1.0)
    drawn = draw_opponents(lost, settings, 9, seed)
    assert drawn == draw_opponents(lost, settings, 9, seed)
    assert len(drawn) == 9
    assert set(drawn) <= {None, *lost}


def test_the_share_of_self_play_is_that_of_the_settings() -> None:
    drawn = draw_opponents(LOST, LeagueSettings(self_share=0.25), 4_000, 0)
    assert abs(drawn.count(None) / 4_000 - 0.25) < 0.03  # 4 standard deviations
    assert abs(drawn.count("random") / 4_000 - 0.25) < 0.03
    assert draw_opponents(LOST, LeagueSettings(self_share=1.0), 9, 0) == [None] * 9
    assert None not in draw_opponents(LOST, LeagueSettings(self_share=0.0), 99, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"every": 0}, "every"),
        ({"keep": 0}, "keep"),
        ({"self_share": 1.5}, "self_share"),
        ({"pick": "newst"}, "did you mean 'newest'"),
        ({"pick": "newest", "scripted": ("random",)}, "pick newest draws no scripted agent: leave out random"),
        ({"scripted": ("random", "random")}, "each agent once"),
    ],
)
def test_an_impossible_league_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LeagueSettings(**settings)


def test_a_league_needs_opponents_for_its_games(refused: Callable[..., str]) -> None:
    assert "agent.opponent=league needs games of several seats: Wordle-LLM has one" in refused(
        "train", "env=wordle", "agent=league"
    )
    assert "agent.league.scripted: optimal play is known for" in refused(
        "train", "env=leduc_poker", "agent=league", "agent.league.scripted=[optimal]"
    )


# --- in a run --------------------------------------------------------------------------------------------------------

LEAGUE = (
    *("agent=league", "agent.league.every=2", "agent.league.keep=2", "agent.league.scripted=[random]"),
    *("agent.league.pick=prioritised", "algorithm.optimisation.learning_rate=0.01", "steps=7", "games_per_step=16"),
    *("checkpoint_every=3", "evaluation.every=0", "evaluation.final_games=4", "model.sft.steps=40"),
    *("model.sft.games=100", "engine.device=cpu", "tensorboard=false"),
)


class Killed(Exception):
    """What ends a run in the middle."""


@pytest.fixture(scope="module")
def league_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run. To be read, not changed."""
    folder = tmp_path_factory.mktemp("league")
    train(run_settings(compose(LEAGUE)), folder)
    return folder


def test_earlier_selves_join_and_leave(league_run: Path) -> None:
    records = read_metrics(league_run)[1:]
    pools = [{name.removeprefix("league/lost/") for name in r if name.startswith("league/lost/")} for r in records]
    assert pools[0] == pools[1] == {"random", "league-0"}
    assert pools[2] == pools[3] == {"random", "league-0", "league-2"}
    assert pools[4] == {"random", "league-2", "league-4"}
    assert pools[6] == {"random", "league-4", "league-6"}
    for record in records:
        chance = [value for name, value in record.items() if name.startswith("league/chance/")]
        assert sum(chance) == pytest.approx(1.0)
    baselines = {name for name in records[-1] if name.startswith("baseline/")}
    roles = {f"baseline/KuhnPoker-LLM|player_{seat}" for seat in (0, 1)}
    assert baselines == roles | {f"{role}|others" for role in roles}


def test_snapshots_are_frozen_where_they_were_taken(league_run: Path) -> None:
    """What the league holds of step 6 is what the checkpoint of that step holds of the learner."""
    last = load_checkpoint(league_run / "checkpoints/step-000007")
    sixth = load_checkpoint(league_run / "checkpoints/step-000006")
    snapshots = last["matchmaker"]["league"]["snapshots"]
    assert list(snapshots) == ["league-4", "league-6"]
    name = "model.embed_tokens.weight"
    assert torch.equal(snapshots["league-6"][name], sixth["learner"]["model"][name])
    assert not torch.equal(snapshots["league-6"][name], last["learner"]["model"][name])
    assert not torch.equal(snapshots["league-6"][name], snapshots["league-4"][name])


def test_a_stopped_league_goes_on_as_one_left_alone(
    league_run: Path, tmp_path: Path, fingerprint: Callable[[Path], dict[str, Any]]
) -> None:
    def stop(record: dict[str, Any]) -> None:
        if record["step"] == 5:
            raise Killed

    with pytest.raises(Killed):
        train(run_settings(compose(LEAGUE)), tmp_path, observe=stop)
    said: list[str] = []
    train(run_settings(compose(LEAGUE)), tmp_path, say=said.append)
    assert "going on after step 3" in said
    assert fingerprint(tmp_path) == fingerprint(league_run)


def test_only_the_learner_s_seats_are_trained(league_run: Path, tmp_path: Path) -> None:
    settings = run_settings(compose(LEAGUE))
    run = Run(settings, tmp_path, saved_policy(settings, league_run / "checkpoints/step-000007/model"), [])
    episodes = run.player.play(1).episodes  # a step whose draws name everybody
    run.log.close()
    opponents = {name for episode in episodes for name in episode.seats.values()}
    assert opponents == {LEARNER, "random", "league-0"}
    judged = run.algorithm.judge(episodes)
    for episode, row in zip(judged.episodes, judged.advantages, strict=True):
        trained = [advantage is not None for advantage in row]
        assert trained == [episode.seats[turn.seat] == LEARNER for turn in episode.turns]
