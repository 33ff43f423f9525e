"""Windows of tokens: chunk after chunk is the whole episode, whatever lies in between."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from turnwise.algorithms.credit.tppo import TPPOSettings, credit
from turnwise.algorithms.explore.windows import WindowsSettings, explore
from turnwise.records import Episode


def through_json(state):
    return json.loads(json.dumps(state))


def play_all(plans, ground, window: int, between=lambda state: state) -> dict[str, list[Episode]]:
    """Plan by plan, the chunks of its episode."""
    found, state = {}, {}
    for step in range(100):
        explored = explore(
            plans if step == 0 else plans[: len(state["waiting"])], ground, WindowsSettings(window=window), state
        )
        for chunk in explored.episodes:
            found.setdefault(chunk.id.partition("@")[0], []).append(chunk)
        state = between(explored.state)
        if not state["waiting"]:
            return found
    raise AssertionError("it never ends")


@pytest.mark.parametrize("window", [1, 4, 7, 100])
@pytest.mark.parametrize("env_id", ["TicTacToe-LLM", "Wages"])
def test_chunks_add_up_to_the_episode(ground, plans, rollout, window, env_id) -> None:
    wanted = plans(3, 1, env_id, None if env_id == "Wages" else "random")
    chunks = play_all(wanted, ground(), window)
    for plan, whole in zip(wanted, rollout.collect(wanted), strict=True):
        parts = chunks[plan.id]
        assert [part.id for part in parts] == [f"{plan.id}@{number}" for number in range(len(parts))]
        for seat in whole.seats:
            assert sum(part.returns[seat] for part in parts) == whole.returns[seat]
        for name in ("completion_ids", "logprobs"):
            said = [getattr(turn, name) for part in parts for turn in part.turns if turn.seat == "player_0"]
            assert sum(said, ()) == sum((getattr(t, name) for t in whole.turns if t.seat == "player_0"), ())
        assert [part.metadata.get("unfinished", False) for part in parts] == [True] * (len(parts) - 1) + [False]
        assert {part.status for part in parts[:-1]} <= {"truncated"} and parts[-1].status == whole.status
        for part in parts:
            own = sum(len(turn.completion_ids) for turn in part.turns if turn.seat == "player_0")
            assert own <= window and (own == window or part is parts[-1])


def test_a_reply_in_two_chunks(ground, plans, rollout) -> None:
    """The second part reads the first; only the second is an action, and is paid."""
    wanted = plans(1, 1, "Wages", None)
    (whole,) = rollout.collect(wanted)
    turn = whole.turns[0]
    assert len(turn.completion_ids) > 2
    first, second = play_all(wanted, ground(), 2)["0-0"][:2]
    head, tail = first.turns[-1], second.turns[0]
    assert (head.prompt_ids, head.completion_ids) == (turn.prompt_ids, turn.completion_ids[:2])
    assert (head.action, head.reward, first.returns) == (None, 0.0, {"player_0": 0.0})
    assert tail.prompt_ids == turn.prompt_ids + turn.completion_ids[:2]
    assert tail.completion_ids == turn.completion_ids[2:4]
    assert head.topk_entropy == turn.topk_entropy[:2]


@pytest.mark.parametrize("kwargs", [{}, {"worker": True}])
def test_a_state_that_went_through_json_goes_on_alike(ground, plans, untimed, kwargs) -> None:
    wanted = plans(2, 1, **kwargs)
    straight, resumed = (play_all(wanted, ground(), 5, between) for between in (lambda state: state, through_json))
    for plan in wanted:
        assert untimed(straight[plan.id]) == untimed(resumed[plan.id])


def test_the_batch_stays_full(ground, plans) -> None:
    """Who is not over goes on first; new episodes take the places that are left."""
    wanted = plans(4, 1, "Wages", None)
    first = explore(wanted, ground(), WindowsSettings(window=8), {})
    waiting = [raw["plan"]["id"] for raw in first.state["waiting"]]
    assert first.metrics == {"resumed": 0.0, "unfinished": float(len(waiting))}
    assert len(waiting) > 0
    later = [replace(plan, id=f"1-{index}", seed=900 + index) for index, plan in enumerate(wanted)]
    second = explore(later, ground(), WindowsSettings(window=8), through_json(first.state))
    fresh = [plan.id for plan in later[: 4 - len(waiting)]]
    assert [chunk.id for chunk in second.episodes] == [*(f"{id}@1" for id in waiting), *(f"{id}@0" for id in fresh)]


def test_spans_of_weights_begin_anew_in_every_chunk(ground, plans, policy) -> None:
    wanted, state, seen = plans(1, 1, "Wages", None), {}, []
    for version in range(3):
        policy.engine.weight_version = version
        explored = explore(wanted, ground(), WindowsSettings(window=2), state)
        state = through_json(explored.state)
        seen += [turn.weight_version for chunk in explored.episodes for turn in chunk.turns]
    assert seen[:2] == [((0, 0),), ((0, 1),)]


def test_an_episode_that_fails_on_the_way_is_dropped(ground, plans) -> None:
    wanted = plans(1, 1, "Wages", None)
    state = through_json(explore(wanted, ground(), WindowsSettings(window=8), {}).state)
    assert state["waiting"][0]["plan"]["prefix"]
    state["waiting"][0]["plan"]["prefix"][0]["observation"] = [{"role": "user", "content": "turn 5"}]
    found = explore(wanted, ground(), WindowsSettings(window=8), state)
    (chunk,) = found.episodes
    assert (chunk.status, chunk.turns, found.state) == ("env_error", (), {"waiting": []})
    assert "did not follow" in chunk.metadata["failure"]


def test_credit_reads_chunks(ground, plans) -> None:
    chunks = explore(plans(3, 1), ground(), WindowsSettings(window=5), {}).episodes
    valued = [
        replace(
            chunk,
            turns=tuple(replace(turn, token_values=(0.5,) * len(turn.completion_ids)) for turn in chunk.turns),
        )
        for chunk in chunks
    ]
    found = credit(valued, {}, TPPOSettings(whiten=False))
    for chunk, row in zip(chunks, found.targets, strict=True):
        if chunk.metadata.get("unfinished"):
            assert not any(row)


def test_the_window_is_at_least_one_token() -> None:
    with pytest.raises(ValueError, match="window is a finite number in"):
        WindowsSettings(window=0)
