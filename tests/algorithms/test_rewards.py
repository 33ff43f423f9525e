"""Reward terms: numbers by hand, and one contract for every term in the registry."""

import dataclasses
import json
import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnwise.algorithms.rewards import REWARDS
from turnwise.algorithms.rewards.normalise import normalise, running_statistics

SEARCH = '{"name": "search", "arguments": {"query": "cat"}}'
PYTHON = '{"name": "python", "arguments": {"code": "1"}}'


def apply(name, episodes, state=None, **chosen):
    term = REWARDS[name]
    return term.function(episodes, state or {}, term.settings(**chosen))


def of_turns(result, index=0):
    return [turn.reward for turn in result.episodes[index].turns]


def with_turns(episode, *changes):
    """The episode with fields of its turns replaced, one mapping per turn."""
    turns = [replace(turn, **fields) for turn, fields in zip(episode.turns, changes, strict=True)]
    return replace(episode, turns=tuple(turns))


def tokens(count):
    return {"completion_ids": (1,) * count, "logprobs": (-1.0,) * count}


# --- one term after the other, by hand -----------------------------------------------------------------------------


def test_overlong_punishes_the_longest_reply_where_it_stands(episode) -> None:
    game = with_turns(episode("000", {"0": 1.0}, rewards=(0.0, 0.0, 1.0)), tokens(2), tokens(9), tokens(3))
    result = apply("overlong", [game], max_length=10, cache=4, weight=2.0)  # (6 - 9) / 4 = -3/4
    assert of_turns(result) == [0.0, -1.5, 1.0]
    assert result.episodes[0].returns == {"0": -0.5}
    assert result.episodes[0].reward_parts == {"task": {"0": 1.0}, "overlong": {"0": -1.5}}
    assert result.metrics == {"mean_overlong": -1.5}


def test_overlong_of_an_episode_counts_all_replies(episode) -> None:
    game = with_turns(episode("01", {"0": 0.0, "1": 0.0}), tokens(9), tokens(7))
    result = apply("overlong", [game], max_length=10, cache=4, measure="episode")
    assert of_turns(result) == [-0.75, -0.25]


@pytest.mark.parametrize(
    ("count", "expected"), [("turns", [-0.5, 0.0, -0.5, 0.0]), ("share", [-0.125, 0.0, -0.125, 0.0]), ("last", [0] * 4)]
)
def test_format_costs_at_the_bad_turns(episode, count, expected) -> None:
    statuses = ("unparsable", "ok", "truncated", "ok")
    game = with_turns(episode("0000", {"0": 0.0}), *({"status": status} for status in statuses))
    assert of_turns(apply("format", [game], weight=0.5, count=count)) == expected


def test_format_of_a_malformed_last_answer(episode) -> None:
    game = with_turns(episode("00", {"0": 0.0}), {}, {"status": "illegal"})
    assert apply("format", [game], weight=1.0, count="last").episodes[0].returns == {"0": -1.0}


@pytest.mark.parametrize(
    ("calls", "value", "expected"),
    [((SEARCH, PYTHON), 1.0, 0.1), ((SEARCH, SEARCH), 1.0, 0.0), ((SEARCH, PYTHON), 0.5, 0.0), ((), 1.0, 0.0)],
)
def test_tool_bonus_needs_a_right_answer_and_two_tools(episode, calls, value, expected) -> None:
    game = with_turns(episode("00", {"0": value}, rewards=(0.0, value)), {"tool_calls": calls}, {})
    result = apply("tool_bonus", [game])
    assert of_turns(result) == [0.0, value + expected]
    assert result.episodes[0].reward_parts["tool_bonus"] == {"0": expected}


def test_tool_bonus_looks_at_the_task_alone(episode) -> None:
    game = with_turns(episode("0", {"0": 1.0}, rewards=(1.0,)), {"tool_calls": (SEARCH, PYTHON), "status": "illegal"})
    cheaper = apply("format", [game], weight=0.25).episodes
    assert apply("tool_bonus", cheaper).episodes[0].reward_parts == {
        "task": {"0": 1.0},
        "format": {"0": -0.25},
        "tool_bonus": {"0": 0.1},
    }


def test_kl_is_taken_off_turn_by_turn(episode) -> None:
    game = with_turns(
        episode("00", {"0": 1.0}, rewards=(0.0, 1.0)),
        {"train_logprobs": (-0.5, -1.0), "reference_logprobs": (-1.0, -1.25)},  # KL .75
        {"train_logprobs": (-1.0, -1.0), "reference_logprobs": (-0.5, -1.0)},  # KL -.5
    )
    assert of_turns(apply("kl", [game], beta=0.5)) == [-0.375, 1.25]
    assert of_turns(apply("kl", [game], beta=0.5, policy="sampler")) == [-0.125, 1.25]  # sampler: -1 everywhere


def test_length_tells_right_from_wrong(episode) -> None:
    games = [episode("0", {"0": value}, rewards=(value,)) for value in (1.0, 0.0)]  # 2 tokens each
    result = apply("length", games, max_length=4, curve="linear")
    assert [game.returns["0"] for game in result.episodes] == [1.25, -0.25]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("mean_std", [-1.0, 1.0]), ("min_max", [0.0, 1.0]), ("clip", [1.0, 3.0]), ("tanh", [math.tanh(1), math.tanh(3)])],
)
def test_normalise_by_hand(episode, mode, expected) -> None:
    assert normalise([1.0, 3.0], running_statistics([1.0, 3.0], {}), mode).tolist() == pytest.approx(expected)
    games = [episode("00", {"0": value}, rewards=(0.5, value - 0.5)) for value in (1.0, 3.0)]
    result = apply("normalise", games, mode=mode)
    assert [game.returns["0"] for game in result.episodes] == pytest.approx(expected)
    assert [of_turns(result, index)[0] for index in (0, 1)] == [0.5, 0.5], "the difference goes to the last turn"
    assert result.state["count"] == 2


def test_par_replaces_the_return_by_a_bounded_one(episode) -> None:
    game = episode("010", {"0": 2.0, "1": -2.0}, agents={"1": "other"}, metadata={"reference_returns": {"0": [2.0]}})
    result = apply("par", [game])
    assert result.episodes[0].returns == {"0": 0.5, "1": -2.0}
    assert of_turns(result) == [0.0, 0.0, -1.5]
    assert result.episodes[0].reward_parts == {"task": {"0": 2.0, "1": -2.0}, "par": {"0": -1.5, "1": 0.0}}


def test_par_reaches_a_seat_that_never_spoke(episode) -> None:
    game = episode("1", {"0": 1.0, "1": 0.0}, metadata={"reference_returns": {"0": [1.0], "1": [0.0]}})
    result = apply("par", [game])
    assert result.episodes[0].returns == {"0": 0.5, "1": 0.5}
    assert of_turns(result) == [0.5]


# --- ToolRL --------------------------------------------------------------------------------------------------------


def test_toolrl_has_a_part_for_each_of_its_aims(episode) -> None:
    game = replace(
        with_turns(
            episode("00", {"0": 0.0}),
            {"tool_calls": (SEARCH,), "text": f"<think>{'so ' * 256}</think>"},
            {"status": "illegal"},
        ),
        metadata={"reference_calls": [SEARCH, PYTHON]},
    )
    result = apply("toolrl", [game], {"step": 30}, scale="two_stage", length_bonus="fixed")
    # S = 1/2 + (1 + 1) of 1 + 2 + 2; format 0 for the illegal turn; 256 words in 2 turns
    parts = {"task": 0.0, "toolrl_format": 0.0, "toolrl_correctness": 0.0, "toolrl_length": 0.25}
    assert result.episodes[0].reward_parts == {part: {"0": pytest.approx(value)} for part, value in parts.items()}
    assert result.state == {"step": 31}


def test_toolrl_alone_after_a_scale_of_0(episode) -> None:
    game = episode("0", {"0": 5.0}, rewards=(5.0,), metadata={"reference_calls": []})
    result = apply("toolrl", apply("scale", [game], factor=0.0).episodes)
    assert result.episodes[0].returns == {"0": 1.0}
    assert of_turns(result) == [1.0]


# --- progress ------------------------------------------------------------------------------------------------------


def valued(episode, *values, **fields):
    game = episode("0" * len(values), {"0": 1.0}, rewards=(*(0.0,) * (len(values) - 1), 1.0), **fields)
    return with_turns(game, *({"value": value} for value in values))


def test_pav_pays_progress(episode) -> None:
    result = apply("pav", [valued(episode, 0.25, 0.75, 0.5)], alpha=2.0)
    assert of_turns(result) == [1.0, -0.5, 2.0]  # 2 (.75 - .25), 2 (.5 - .75), 1 + 2 (1 - .5)


def test_pav_of_the_best_of_several_tries(episode) -> None:
    assert of_turns(apply("pav", [valued(episode, 0.5, 0.5)], best_of=2)) == [0.0, 1.25]


def test_pav_at_a_cut(episode) -> None:
    game = valued(episode, 0.25, 0.5, status="truncated", end_values={"0": 0.25})
    assert of_turns(apply("pav", [game])) == [0.25, 1.5]
    assert of_turns(apply("pav", [game], bootstrap=True)) == [0.25, 1.75]
    with pytest.raises(ValueError, match=r"end_values of the seat 0: episode 'e' has none; .*bootstrap: false"):
        apply("pav", [replace(game, end_values=None)], bootstrap=True)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=6), st.floats(0, 4))
@settings(suppress_health_check=[HealthCheck.differing_executors])
def test_progress_adds_up_to_the_return_less_the_first_value(episode, values, alpha) -> None:
    (game,) = apply("pav", [valued(episode, *values)], alpha=alpha).episodes
    assert game.returns["0"] == pytest.approx(1.0 + alpha * (1.0 - values[0]))


# --- sparse and dense ----------------------------------------------------------------------------------------------


def test_sparse_moves_rewards_to_the_last_turn(episode) -> None:
    game = episode("0101", {"0": 3.0, "1": 3.0}, rewards=(1.0, 1.0, 2.0, 1.0), agents={"1": "other"})
    result = apply("sparse", [game])
    assert of_turns(result) == [0.0, 1.0, 3.0, 1.0]
    assert result.episodes[0].returns == game.returns


# --- what every term promises --------------------------------------------------------------------------------------

drawn_games = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from("01"), st.integers(-4, 4), st.integers(0, 3), st.booleans()), max_size=5),
        st.floats(-1e6, 1e6),  # came outside of the turns
        st.sampled_from(["policy", "random"]),
        st.sampled_from(["ok", "truncated", "env_error"]),
    ),
    max_size=6,
)


def annotated(episode, drawn):
    turns, outside, agent, status = drawn
    sums = {seat: outside + sum(reward for who, reward, *_ in turns if who == seat) for seat in "01"}
    game = episode("".join(turn[0] for turn in turns), sums, agents={"1": agent}, status=status)
    game = replace(
        game, metadata={"reference_returns": {"0": [1.0, 2.0], "1": [0.0]}, "reference_calls": [SEARCH, PYTHON]}
    )
    changes = [
        {
            "reward": float(reward),
            "status": "ok" if fine else "illegal",
            "tool_calls": (SEARCH,) if fine else (),
            "value": 0.5,
            "train_logprobs": (-0.5,) * count,
            "reference_logprobs": (-0.75,) * count,
            **tokens(count),
        }
        for _, reward, count, fine in turns
    ]
    return with_turns(game, *changes)


@pytest.mark.parametrize("name", sorted(REWARDS))
@settings(max_examples=40, suppress_health_check=[HealthCheck.differing_executors])
@given(drawn=drawn_games)
def test_contract(name, drawn, episode) -> None:
    games = [annotated(episode, game) for game in drawn]
    term = REWARDS[name]
    after, state, metrics = term.function(games, {}, term.settings(), "policy")

    assert json.loads(json.dumps(state)) == state, "the state must survive a checkpoint"
    term.function(games, json.loads(json.dumps(state)), term.settings())
    assert all(math.isfinite(value) for value in metrics.values())
    assert len(after) == len(games)
    for old, new in zip(games, after, strict=True):
        if old.status == "env_error":
            assert new == old, "a crashed episode stays as it is"
            continue
        for seat in "01":
            before, now = (game.returns[seat] - earned(game, seat) for game in (old, new))
            assert now == pytest.approx(before, abs=1e-6) or not spoke(old, seat)
            parts = sum(amounts[seat] for amounts in new.reward_parts.values())
            assert parts == pytest.approx(new.returns[seat], abs=1e-6)
            if old.seats[seat] != "policy":
                assert new.returns[seat] == old.returns[seat], "another's seat stays as it is"
                assert earned(new, seat) == earned(old, seat)
        rest = [replace(turn, reward=0.0) for turn in new.turns]
        assert rest == [replace(turn, reward=0.0) for turn in old.turns], "only rewards change"


def earned(game, seat):
    return sum(turn.reward for turn in game.turns if turn.seat == seat)


def spoke(game, seat):
    return any(turn.seat == seat for turn in game.turns)


@pytest.mark.parametrize("name", sorted(set(REWARDS) - {"scale"}))
def test_part_of_the_task_is_what_was_there_before(name, episode) -> None:
    game = annotated(episode, ([("0", 1, 2, True), ("1", 0, 1, False), ("0", 2, 1, False)], 0.0, "policy", "ok"))
    once = apply(name, [game]).episodes
    assert once[0].reward_parts["task"] == game.returns
    twice = apply("format", once).episodes
    assert twice[0].reward_parts["task"] == game.returns


@pytest.mark.parametrize(
    ("name", "chosen", "message"),
    [
        ("kl", {}, r"kl needs train_logprobs: episode 'e' has none; .*policy: sampler"),
        ("kl", {"policy": "sampler"}, r"kl needs reference_logprobs: episode 'e' has none; score the episodes"),
        ("par", {}, r"par needs metadata\['reference_returns'\] for the seat 0: episode 'e' has none; let a reference"),
        ("toolrl", {}, r"toolrl needs metadata\['reference_calls'\]: episode 'e' has none; play an environment"),
        ("pav", {}, r"pav needs the value of turn 0: episode 'e' has none; let a prover"),
    ],
)
def test_missing_annotations_are_refused(episode, name, chosen, message) -> None:
    with pytest.raises(ValueError, match=message):
        apply(name, [episode("0", {"0": 1.0})], **chosen)
    apply(name, [episode("0", {"0": 1.0}, status="timeout")], **chosen)


def test_reference_calls_that_cannot_be_read_are_refused(episode) -> None:
    with pytest.raises(ValueError, match=r"is a list of JSON objects .* in episode 'e'"):
        apply("toolrl", [episode("0", {"0": 1.0}, metadata={"reference_calls": ["{"]})])


@pytest.mark.parametrize("name", sorted(REWARDS))
def test_settings_are_frozen_records_with_defaults(name) -> None:
    assert dataclasses.is_dataclass(REWARDS[name].settings())
    assert REWARDS[name].function([], {}, REWARDS[name].settings()).episodes == []


@pytest.mark.parametrize(
    ("name", "chosen", "message"),
    [
        ("overlong", {"measure": "longst"}, "did you mean 'longest'"),
        ("overlong", {"cache": 99999}, "cache is a finite number"),
        ("format", {"weight": -1.0}, "weight is a finite number"),
        ("tool_bonus", {"tools": 0}, "tools is a finite number"),
        ("kl", {"estimator": "k4"}, "estimator is one of"),
        ("length", {"max_length": 0}, "max_length is a finite number"),
        ("normalise", {"mode": "minmax"}, "did you mean 'min_max'"),
        ("par", {"references": 0}, "references is a finite number"),
        ("toolrl", {"scale": "two"}, "scale is one of"),
        ("pav", {"best_of": 0}, "best_of is a finite number"),
        ("scale", {"factor": math.inf}, "factor is a finite number"),
    ],
)
def test_impossible_settings_are_refused(name, chosen, message) -> None:
    with pytest.raises(ValueError, match=message):
        REWARDS[name].settings(**chosen)
