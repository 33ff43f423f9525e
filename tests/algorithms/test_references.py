"""What others did at the same tasks: played once per task, and put where rewards look for it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from turnwise.agents.context import ChatContext, ContextSettings
from turnwise.agents.plan import Plan
from turnwise.agents.scripted import scripted_agent
from turnwise.agents.tiny import build_tokenizer
from turnwise.algorithms.demonstrations import Teacher
from turnwise.algorithms.references import with_reference_calls, with_reference_returns
from turnwise.algorithms.samples import DEMONSTRATION, samples_of
from turnwise.records import Episode

Episodes = Callable[..., Episode]


def test_a_task_is_played_once_however_many_episodes_share_it(episode: Episodes) -> None:
    games = [episode("0", {"0": float(i)}, id=str(i), seed=seed) for i, seed in enumerate((7, 7, 8))]
    asked: list[Plan] = []

    def play(plans: Sequence[Plan]) -> list[Episode]:
        asked.extend(plans)
        return [episode("0", {"0": 10.0 + plan.seed}) for plan in plans]

    found = with_reference_returns(games, play)
    assert [(plan.seed, plan.stream > 0) for plan in asked] == [(7, True), (8, True)]
    assert [game.metadata["reference_returns"] for game in found] == [{"0": [17.0]}, {"0": [17.0]}, {"0": [18.0]}]
    assert [replace(game, metadata={}) for game in found] == games


def test_calls_are_read_in_order(episode: Episodes) -> None:
    call, other = ({"name": name, "arguments": {}} for name in "ab")
    expert = episode("00", {"0": 1.0})
    turns = tuple(
        replace(turn, tool_calls=(json.dumps(c),)) for turn, c in zip(expert.turns, (call, other), strict=True)
    )
    (found,) = with_reference_calls([episode("0", {"0": 0.0}, seed=1)], lambda plans: [replace(expert, turns=turns)])
    assert found.metadata["reference_calls"] == [call, other]


def test_a_task_without_a_seed_is_refused(episode: Episodes) -> None:
    with pytest.raises(ValueError, match="'e' has none"):
        with_reference_returns([episode("0", {"0": 0.0})], lambda plans: [])


def test_a_teacher_sits_in_the_learners_seat_and_speaks_its_tokens() -> None:
    agents = {"policy": scripted_agent("random"), "opponent": scripted_agent("first_legal")}
    seats = {"player_0": "policy", "player_1": "opponent"}
    plan = Plan(id="p", env_id="KuhnPoker-LLM", env_kwargs={"prompt": "compact"}, seed=3, seats=seats, group="g")
    context = ChatContext(build_tokenizer(["[bet] [pass] [0] [1]"], 300), ContextSettings())
    (shown,) = Teacher(agents, "policy").demonstrate([plan], "optimal", context)
    assert shown.metadata[DEMONSTRATION] and (shown.group, shown.seats) == ("g", seats)
    for turn in shown.turns:
        own = turn.seat == "player_0"
        assert bool(turn.completion_ids) == own
        if own:
            assert context.decode(turn.completion_ids) == turn.text and turn.completion_ids[-1] == context.end_id
            assert set(turn.logprobs) == {0.0}
    (row,) = samples_of(shown, [1.0 if turn.completion_ids else None for turn in shown.turns])
    assert row.demonstrated
