"""The parts of a recipe at work: their order, their state, and what demonstrations are spared."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from turnwise.algorithms.algorithm import Algorithm
from turnwise.algorithms.recipes import AlgorithmSettings
from turnwise.records import Episode

Episodes = Callable[..., Episode]


def algorithm(seen: list[Any] | None = None, **settings: Any) -> Algorithm:
    def annotate(episodes: Any, needs: frozenset[str]) -> list[Episode]:
        if seen is not None:
            seen.append((len(episodes), needs))
        return list(episodes)

    return Algorithm(AlgorithmSettings(**settings), annotate, "policy")


def test_rewards_come_before_credit(episode: Episodes) -> None:
    games = [episode("0", {"0": 1.0}, rewards=(1.0,), group="g"), episode("0", {"0": 0.0}, group="g", id="f")]
    settings = {"credit": "rloo", "group_size": 2, "rewards": {"scale": {"factor": 3.0}}}
    judged = algorithm(**settings).judge(games)
    assert judged.advantages == [[3.0], [-3.0]]
    assert [game.returns["0"] for game in judged.episodes] == [3.0, 0.0]
    assert judged.targets is None


def test_state_is_kept_by_part_and_fits_json(episode: Episodes) -> None:
    subject = algorithm(credit="rae", credit_settings={"decay": 0.5})
    subject.judge([episode("0", {"0": 1.0})])
    assert subject.states == {"credit.rae": {"baselines": {"Game|0": 0.5}, "counts": {"Game|0": 1}}}
    fresh = algorithm(credit="rae", credit_settings={"decay": 0.5})
    fresh.states = json.loads(json.dumps(subject.states))
    assert fresh.judge([episode("0", {"0": 1.0})]).advantages == [[0.5]]


def test_demonstrations_are_imitated_and_move_no_statistic(episode: Episodes) -> None:
    shown = episode("00", {"0": 9.0}, metadata={"demonstration": True}, id="shown")
    seen: list[Any] = []
    judged = algorithm(seen, credit="rae").judge([shown, episode("0", {"0": 1.0})])
    assert [game.id for game in judged.episodes] == ["e", "shown"]
    assert judged.advantages == [[1.0], [1.0, 1.0]]
    assert judged.metrics == {"baseline/Game|0": pytest.approx(0.05)}
    assert seen == [(1, frozenset())]


def test_what_is_needed_is_asked_for(episode: Episodes) -> None:
    seen: list[Any] = []
    settings = {"credit": "grpo", "group_size": 2, "shapings": {"entropy_aware": None}}
    with pytest.raises(ValueError, match="token_entropy"):
        algorithm(seen, **settings).judge([episode("0", {"0": v}, group="g", id=str(v)) for v in (0.0, 1.0)])
    assert seen == [(2, frozenset({"groups", "token_entropy"}))]


def test_nothing_but_demonstrations(episode: Episodes) -> None:
    shown = episode("0", {"0": 1.0}, metadata={"demonstration": True})
    assert algorithm(credit="grpo", group_size=2).judge([shown]).advantages == [[1.0]]
