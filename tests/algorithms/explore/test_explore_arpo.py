"""ARPO and AEPO on live games: budgets, parents, shared beginnings."""

from __future__ import annotations

import dataclasses

import pytest

from turnwise.algorithms.credit.arpo import ARPOSettings, credit
from turnwise.algorithms.explore import EXPLORERS
from turnwise.algorithms.explore.arpo import AEPOSettings, explore
from turnwise.algorithms.explore.branching import BranchingSettings


def settings(**fields) -> BranchingSettings:
    return BranchingSettings(**{"roots": 2, "first_k": 3} | fields)


def test_paths_are_the_plans_and_share_their_parents_beginning(ground, plans) -> None:
    wanted = plans(3, 6)
    found = explore(wanted, ground(), settings(), {})
    assert [episode.id for episode in found.episodes] == [plan.id for plan in wanted]
    assert [episode.group for episode in found.episodes] == [plan.group for plan in wanted]
    by_id = {episode.id: episode for episode in found.episodes}
    forks = [episode for episode in found.episodes if episode.parent is not None]
    assert len(forks) >= 6
    for fork in forks:
        parent, count = by_id[fork.parent], fork.fork_turn
        assert parent.group == fork.group and count >= 2  # the learner has spoken, and was answered
        for mine, theirs in zip(fork.turns[:count], parent.turns[:count], strict=True):
            assert (mine.prompt_ids, mine.completion_ids, mine.text) == (
                theirs.prompt_ids,
                theirs.completion_ids,
                theirs.text,
            )
            assert mine.logprobs == theirs.logprobs
        assert fork.turns[count].seat == "player_0"
        assert fork.turns[count].prompt_ids == parent.turns[count].prompt_ids
    assert found.metrics["forks"] == len(forks)
    assert found.metrics["forks"] + found.metrics["roots"] == len(wanted)
    shared = sum(len(turn.completion_ids) for fork in forks for turn in fork.turns[: fork.fork_turn])
    assert found.metrics["shared_tokens"] == shared


def test_roots_are_what_they_would_be_alone(ground, plans, rollout, untimed) -> None:
    wanted = plans(2, 4)
    found = untimed(explore(wanted, ground(), settings(), {}).episodes)
    for episode, alone in zip(found, untimed(rollout.collect(wanted)), strict=True):
        if episode.parent is None:
            assert episode == alone


@pytest.mark.parametrize("changes", [{"roots": 4}, {"beam": 1}, {"branch_probability": 0.0, "entropy_weight": 0.0}])
def test_without_forks_it_is_independent_sampling(ground, plans, rollout, untimed, changes) -> None:
    wanted = plans(2, 4)
    found = explore(wanted, ground(), settings(**changes), {})
    assert untimed(found.episodes) == untimed(rollout.collect(wanted))
    assert found.metrics == {"forks": 0.0, "roots": 8.0, "shared_tokens": 0.0}


def test_who_always_forks_doubles_every_round(ground, plans) -> None:
    """From one root: round 1 adds path 1, round 2 paths 2 and 3; then 4 are there."""
    found = explore(plans(1, 4, "Wages", None), ground(), settings(roots=1, branch_probability=1.0), {})
    assert [(episode.parent, episode.fork_turn) for episode in found.episodes] == [
        (None, None),
        ("0-0", 1),
        ("0-0", 2),
        ("0-1", 2),
    ]


def test_a_self_played_game_forks_after_every_turn(ground, plans) -> None:
    wanted = plans(1, 3, second="policy")
    found = explore(wanted, ground(), settings(roots=1, branch_probability=1.0), {})
    assert [episode.fork_turn for episode in found.episodes] == [None, 1, 2]


def test_it_follows_from_the_seed_of_the_step(ground, plans, untimed) -> None:
    wanted = plans(3, 6)
    first, again, other = (untimed(explore(wanted, ground(seed=seed), settings(), {}).episodes) for seed in (1, 1, 2))
    assert first == again
    assert [episode.parent for episode in first] != [episode.parent for episode in other]


def test_games_in_workers_fork_alike(ground, plans, untimed) -> None:
    here, there = (
        untimed(explore(plans(1, 4, **kwargs), ground(), settings(), {}).episodes) for kwargs in ({}, {"worker": True})
    )
    assert [dataclasses.replace(episode, env_kwargs={}) for episode in there] == here
    assert any(episode.parent for episode in here)


def test_aepo_measures_each_question_first(ground, plans) -> None:
    entry = EXPLORERS["aepo"]
    assert entry.settings is AEPOSettings and AEPOSettings().rule == "aepo"
    found = entry.function(plans(2, 6), ground(), AEPOSettings(first_k=3, dynamic_roots=True), {})
    assert len(found.episodes) == 12
    assert found.metrics["extra_episodes"] == 2.0
    assert found.metrics["extra_tokens"] > 0.0
    assert found.metrics["forks"] + found.metrics["roots"] == 12.0


def test_credit_reads_its_forks(ground, plans) -> None:
    found = explore(plans(2, 4), ground(), settings(), {})
    for attribution in ("soft", "hard"):
        table = credit(found.episodes, {}, ARPOSettings(attribution=attribution)).advantages
        assert len(table) == 8


def test_what_cannot_be_decided_is_refused(ground, plans) -> None:
    with pytest.raises(ValueError, match=r"first 20 tokens, and the engine records 3: set agent"):
        explore(plans(1, 4), ground(), BranchingSettings(roots=2), {})
    with pytest.raises(ValueError, match="a budget of 1 and 2 roots"):
        explore(plans(1, 1), ground(), settings(), {})
