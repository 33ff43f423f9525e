"""The replay buffer: what it keeps, what it draws, and that nothing trains as if it were fresh."""

import json
from collections.abc import Callable
from dataclasses import replace as changed
from typing import Any

import pytest

from turnwise.algorithms.algorithm import Algorithm
from turnwise.algorithms.build import build
from turnwise.algorithms.recipes import AlgorithmSettings, Critic, Objective, Optimisation
from turnwise.algorithms.replay import Replay, replay
from turnwise.records import Episode

Spoken = Callable[..., Episode]


def games(spoken: Spoken, step: int) -> list[Episode]:
    """Two tasks of two turns each."""
    turns = (("a", (1,), (2, 3), (-0.5, -0.25)), ("a", (1, 2, 3, 4), (5,), (-1.0,)))
    return [changed(spoken(*turns, id=f"{step}-{i}"), group=f"{step}.{i}") for i in range(2)]


def test_it_gives_back_what_was_sampled_and_how(spoken: Spoken) -> None:
    settings = Replay(turns=10)
    first = replay(games(spoken, 0), [[1.0, None], [(0.5,), -2.0]], {}, settings, seed=0)
    assert first.episodes == [] and first.state["step"] == 1
    state = json.loads(json.dumps(first.state))
    again = replay([], [], state, settings, seed=0)
    assert [episode.id for episode in again.episodes] == ["0-0#0", "0-1#0", "0-1#1"]
    assert again.advantages == [[1.0], [(0.5,)], [-2.0]]
    turn = again.episodes[2].turns[0]
    assert (turn.prompt_ids, turn.completion_ids, turn.logprobs) == ((1, 2, 3, 4), (5,), (-1.0,))


def test_old_turns_are_dropped_and_tasks_are_cut(spoken: Spoken) -> None:
    settings, state = Replay(turns=1, per_task=1, max_age=2), {}
    for step in range(5):
        found = replay(games(spoken, step), [[1.0, 1.0]] * 2, state, settings, seed=3)
        state = found.state
        assert len(found.episodes) == min(step, 1)
        born = [entry["born"] for entry in state["kept"]]
        assert min(born) == max(step - 2, 0) and all(born.count(b) == 2 for b in born)
    loaded = json.loads(json.dumps(state))
    assert replay([], [], state, settings, seed=3)[:2] == replay([], [], loaded, settings, seed=3)[:2]


def test_what_gone_weights_have_said_is_forgotten(spoken: Spoken) -> None:
    (game, other) = games(spoken, 0)
    noted = changed(game, turns=(changed(game.turns[0], train_logprobs=(-1.0, -1.0), value=2.0), game.turns[1]))
    state = replay([noted, other], [[1.0, 1.0]] * 2, {}, Replay(turns=9), seed=0).state
    kept = replay([], [], state, Replay(turns=9), seed=0).episodes[0].turns[0]
    assert kept.train_logprobs is None and kept.value is None


def test_an_algorithm_trains_on_them_beside_the_new_ones(spoken: Spoken) -> None:
    recipe = AlgorithmSettings(credit="rloo", group_size=2, replay=Replay(turns=2))
    seen: list[Any] = []

    def annotate(episodes: Any, needs: frozenset[str]) -> list[Episode]:
        seen.append(needs)
        return list(episodes)

    subject = Algorithm(recipe, annotate, "policy")
    pair = [changed(game, group="g", returns={"a": float(i)}) for i, game in enumerate(games(spoken, 0))]
    first = subject.judge(pair)
    assert first.advantages == [[-1.0, -1.0], [1.0, 1.0]] and first.metrics["replayed_turns"] == 0.0
    second = subject.judge([changed(game, group="h") for game in pair])
    assert len(second.episodes) == 4 and second.metrics["replayed_turns"] == 2.0
    assert {len(row) for row in second.advantages[2:]} == {1}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimisation": Optimisation(old_logprobs="trainer")}, "their ratio starts at 1"),
        ({"critic": Critic(kind="own"), "credit": "gae"}, "are not kept with replayed turns"),
    ],
)
def test_replay_without_a_correction_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AlgorithmSettings(replay=Replay(turns=1), **settings)


def test_with_a_weight_the_trainers_denominator_will_do() -> None:
    corrected = Objective(corrections={"tis": {"cap": 2.0}})
    recipe = AlgorithmSettings(
        replay=Replay(turns=1), objective=corrected, optimisation=Optimisation(old_logprobs="trainer")
    )
    assert recipe.replay.turns == 1


def test_impossible_settings_are_refused() -> None:
    for name, value in (("turns", -1), ("per_task", 0), ("max_age", 0)):
        with pytest.raises(ValueError, match=f"replay.{name} is a finite number"):
            build(Replay, {name: value}, "algorithm.replay")
