"""The tool game: asking, calling, answering, and what it costs."""

from __future__ import annotations

import copy
import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from turnwise.envs.core import IllegalAction, Unsupported
from turnwise.envs.gym_view import TextGameEnv
from turnwise.envs.tools.game import ToolGame, ToolRules
from turnwise.envs.tools.problem import Problem, Verdict
from turnwise.envs.tools.tool import Tool, ToolError, tool


def double(number: int) -> str:
    """Twice a number.

    Args:
        number: The number.
    """
    if number < 0:
        raise ToolError("only numbers of at least 0 can be doubled")
    return str(2 * number)


def note(notes: list[str], text: str) -> str:
    """Write something down."""
    notes.append(text)
    return " ".join(notes)


def judge(truth: int, answer: str, notes: Any) -> Verdict:
    """1 for the right number, and half of it for a near one."""
    right = answer == str(truth)
    return Verdict(1.0 if right else 0.0, {"exact_match": float(right), "notes": len(notes)})


def draw(rng: np.random.Generator) -> Problem:
    number = int(rng.integers(100))
    return Problem(
        question=f"What is 2 x {number}?",
        judge=partial(judge, 2 * number),
        truth=str(2 * number),
        kind="doubling",
        level="easy",
        workspace=[],
        tools=(tool(note, needs_workspace=True),),
        plan=(
            f'<tool_call>{{"name": "double", "arguments": {{"number": {number}}}}}</tool_call>',
            f"<answer>{2 * number}</answer>",
        ),
    )


def game(**rules: Any) -> ToolGame:
    made = ToolGame(draw, [tool(double, cost=0.1, budget=2)], rules=ToolRules(instructions="Double it.", **rules))
    made.start(np.random.default_rng(0))
    return made


def test_the_first_observation_names_tools_forms_and_question() -> None:
    text = game().observe("player_0")
    assert text.startswith("Double it.\n\nTools, one JSON schema a line:\n")
    assert '"name": "double", "description": "Twice a number."' in text and '"name": "note"' in text
    assert text.endswith("<answer>your answer</answer>. You have 10 replies in all.\n\nQuestion: What is 2 x 85?")


def test_a_call_costs_and_an_answer_is_judged() -> None:
    playing = game()
    playing.observe("player_0")
    step = playing.play('<tool_call>{"name": "double", "arguments": {"number": 85}}</tool_call>')
    assert step.rewards == {"player_0": -0.1} and not step.terminated
    assert step.info["tool_calls"] == ('{"arguments": {"number": 85}, "name": "double"}',)
    assert playing.observe("player_0") == '<tool_response name="double">\n170\n</tool_response>'
    assert playing.observe("player_0") == ""
    playing.play("<note>a</note><note>b</note>")
    assert playing.observe("player_0").split("\n")[1::3] == ["a", "a b"]
    end = playing.play("It is <answer>170</answer>")
    assert (end.rewards, end.terminated, end.info["exact_match"], end.info["notes"]) == (
        {"player_0": 1.0},
        True,
        1.0,
        2,
    )
    assert playing.seat is None and playing.task == "doubling"
    with pytest.raises(IllegalAction, match="over"):
        playing.play("<answer>170</answer>")


def test_budgets_failures_and_clipping_are_told_in_the_response() -> None:
    playing = game(response_chars=30)
    playing.play('<tool_call>{"name": "double", "arguments": {"number": -1}}</tool_call>')
    assert "\nerror: only numbers of at leas\n... (18 more characters)\n" in playing.observe("player_0")
    step = playing.play('{"name": "double", "arguments": {"number": 1}}')
    assert step.rewards == {"player_0": -0.1}
    step = playing.play('{"name": "double", "arguments": {"number": 1}}')
    assert step.rewards == {}
    assert "\nerror: all 2 calls of double a\n... (10 more characters)\n" in playing.observe("player_0")


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("no idea", "Call a tool with"),
        ('{"name": "triple", "arguments": {}}', "there is no tool 'triple'; the tools are double, note"),
        ('{"name": "double", "arguments": {"number": "x"}}', "'number' is of type integer"),
        ("<tool_call>x</tool_call><answer>170</answer>", "one JSON object"),
    ],
)
def test_illegal_replies_change_nothing(action: str, reason: str) -> None:
    playing = game()
    before = playing.anchor()
    with pytest.raises(IllegalAction, match=reason):
        playing.play(action)
    assert playing.anchor() == before
    assert playing.play("<answer>170</answer>").rewards == {"player_0": 1.0}


def test_turns_run_out() -> None:
    playing = game(turns=2)
    assert not playing.play("<note>a</note>").truncated
    assert playing.observe("player_0").endswith("This is your last reply: give your answer.")
    step = playing.play("<note>a</note>")
    assert step.truncated and not step.terminated and playing.seat is None


def test_bounds_count_the_costs() -> None:
    assert game().utility_bounds == (-0.2, 1.0)
    free = ToolGame(draw, [tool(double, cost=0.1)], rules=ToolRules(turns=3, calls_per_turn=2))
    assert free.utility_bounds == (pytest.approx(-0.6), 1.0)
    assert ToolGame(draw).utility_bounds == (0.0, 1.0)


def test_the_expert_plan_is_told_as_far_as_it_was_followed() -> None:
    playing = game()
    plan = playing.solution()
    assert plan[1] == "<answer>170</answer>"
    playing.play(plan[0])
    assert playing.solution() == plan[1:]
    playing.play("<note>x</note>")
    assert playing.solution() == ("<answer>170</answer>",)


def test_a_clone_has_a_workspace_of_its_own_and_pickles() -> None:
    playing = game()
    playing.play("<note>a</note>")
    twin, stored = playing.clone(), pickle.loads(pickle.dumps(playing))
    twin.play("<note>b</note>")
    for other in (playing, stored):
        other.play("<note>c</note>")
        assert "a c" in other.observe("player_0")
    with pytest.raises(Unsupported):
        ToolGame(draw, can_clone=False).clone()


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="a name of its own: got double, double"):
        ToolGame(draw, [tool(double), tool(double)])
    with pytest.raises(ValueError, match="turns, calls_per_turn"):
        ToolRules(turns=0)
    with pytest.raises(ValueError, match="fenced names one of the tools double"):
        ToolGame(draw, [tool(double)], rules=ToolRules(fenced="python"))
    with pytest.raises(ValueError, match="cost and budget"):
        Tool(schema=tool(double).schema, run=double, cost=-1.0)


def test_it_passes_the_official_checker_with_random_calls() -> None:
    env = TextGameEnv(copy.deepcopy(game()))
    check_env(env, skip_render_check=True)
    env.action_space.seed(1)
    env.reset(seed=1)
    over, statuses = False, set()
    while not over:
        _, _, terminated, truncated, info = env.step(env.action_space.sample())
        statuses.add(info["status"])
        over = terminated or truncated
    assert statuses == {"ok"}
