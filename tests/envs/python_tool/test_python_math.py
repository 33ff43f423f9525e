"""PythonMath: every family's answer found twice, answers compared exactly, and code behind walls."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from pettingzoo.test import api_test, seed_test

import turnwise
from turnwise.envs.python_tool.answers import plain_value, same_mathematics, same_plain
from turnwise.envs.python_tool.families import FAMILIES
from turnwise.envs.python_tool.files import Task, read_tasks
from turnwise.envs.python_tool.math_game import python_math
from turnwise.envs.python_tool.puzzle import LEVELS
from turnwise.envs.sandbox.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as made:
        yield made


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_the_expert_s_code_finds_the_stated_answer(name: str, sandbox: Sandbox) -> None:
    """The answer of a family and its code are two ways to one result."""
    for level in range(len(LEVELS)):
        for seed in range(2):
            puzzle = FAMILIES[name](np.random.default_rng([seed, level]), level)
            result = sandbox.run(puzzle.code)
            assert result.ok, result.error
            assert result.stdout.strip() == puzzle.answer
            assert same_plain(puzzle.answer, result.stdout)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_question_follows_from_its_generator_and_its_seeds_differ(name: str) -> None:
    drawn = [FAMILIES[name](np.random.default_rng(seed), 2) for seed in range(8)]
    assert drawn[3] == FAMILIES[name](np.random.default_rng(3), 2)
    assert len({puzzle.question for puzzle in drawn}) >= 3
    assert all(len(puzzle.question) < 1500 for puzzle in drawn)


@pytest.mark.parametrize(
    ("name", "level", "question", "answer"),
    [
        ("expression", 0, "What is the value of ((85 * 52) - (28 * 5))?", "4280"),
        ("weekday", 0, "Which day of the week is 2070-08-15 (year-month-day, Gregorian calendar)?", "Friday"),
    ],
)
def test_questions_by_hand(name: str, level: int, question: str, answer: str) -> None:
    puzzle = FAMILIES[name](np.random.default_rng(0), level)
    assert (puzzle.answer == answer) == (puzzle.question == question)
    assert puzzle.question.split()[:3] == question.split()[:3]


@pytest.mark.parametrize(
    ("truth", "answer", "same"),
    [
        ("42", " 42. ", True),
        ("42", "$42$", True),
        ("1234", "1,234", True),
        ("1/2", "0.5", True),
        ("1/2", "2/4", True),
        ("1/3", "0.333", False),
        ("[1, 2]", "[1,2]", True),
        ("[1, 2]", "[2, 1]", False),
        ("Friday", "friday", True),
        ("0", "", False),
        ("1", "1/0", False),
        ("5", "5" * 100_000, False),
    ],
)
def test_plain_answers(truth: str, answer: str, same: bool) -> None:
    assert same_plain(truth, answer) is same


@given(st.text())
def test_any_text_has_a_plain_value_equal_to_itself(text: str) -> None:
    assert plain_value(text) == plain_value(text)


@pytest.mark.parametrize(
    ("truth", "answer", "same"),
    [
        (r"\frac{1}{2}", "0.5", True),
        ("x+1", "1+x", True),
        (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}", True),
        ("x+1", "x+2", False),
        (r"x^2", r"9^{9^{9^{9}}}", False),
        ("x", "__import__('os').system('true')", False),
    ],
)
def test_mathematical_answers(truth: str, answer: str, same: bool) -> None:
    assert same_mathematics(truth, answer) is same


def test_code_runs_and_the_answer_is_judged() -> None:
    game = python_math(families=["divisible"], call_cost=0.1)
    game.start(np.random.default_rng(0))
    assert game.task == "divisible" and game.level == "easy"
    code, answer = game.solution()
    step = game.play(code)
    assert step.rewards == {"player_0": -0.1}
    assert game.observe("player_0") == f'<tool_response name="python">\n{game.ground_truth()}\n</tool_response>'
    assert game.play(answer).rewards == {"player_0": 1.0}


def test_errors_values_and_limits_are_shown() -> None:
    game = python_math(seconds=0.5)
    game.start(np.random.default_rng(0))
    game.play("```python\n1 / 0\n```")
    assert "ZeroDivisionError: division by zero" in game.observe("player_0")
    game.play("<python>6 * 7</python>")
    assert "\n42\n" in game.observe("player_0")
    game.play("<python>while True: pass</python>")
    assert "\nkilled: it took more than 0.5 s\n" in game.observe("player_0")
    game.play("<python>x = 3</python>")
    assert "(no output)" in game.observe("player_0")
    game.play("<python>print(x)</python>")
    assert "NameError" in game.observe("player_0")


def test_a_session_keeps_variables_within_an_episode_only() -> None:
    game = python_math(session=True)
    assert not game.can_clone
    game.start(np.random.default_rng(0))
    game.play("<python>x = 41</python>")
    game.play("<python>x + 1</python>")
    assert "\n42\n" in game.observe("player_0")
    game.start(np.random.default_rng(0))
    game.play("<python>x</python>")
    assert "NameError" in game.observe("player_0")
    game.close()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"level": "x"}, "level is one of easy, medium, hard: got 'x'"),
        ({"families": ["sums"]}, "families is one of expression"),
        ({"families": []}, "at least one family"),
        ({"tier": "docker"}, "tier is one of"),
        ({"seconds": 0}, "a limit is a positive number"),
    ],
)
def test_settings(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        python_math(**kwargs)  # type: ignore[arg-type]


def test_it_passes_the_official_checkers() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api_test(turnwise.aec_env("PythonMath-LLM"), num_cycles=20)
    seed_test(lambda: turnwise.aec_env("PythonMath-LLM"), num_cycles=10)
    check_env(gym.make("PythonMath-LLM").unwrapped)


def test_a_game_is_pickled_in_the_middle() -> None:
    game = python_math(families=["urn"])
    game.start(np.random.default_rng(1))
    game.observe("player_0")
    twin = pickle.loads(pickle.dumps(game))
    for one in (game, twin):
        one.play(one.solution()[0])
    assert twin.observe("player_0") == game.observe("player_0") != ""


# --- files -----------------------------------------------------------------------------------------------------------


def test_files_in_every_form(tmp_path: Path) -> None:
    (tmp_path / "gsm.jsonl").write_text('{"question": "2+40?", "answer": "so it is\\n#### 42"}\n\n')
    (tmp_path / "math.jsonl").write_text(
        '{"problem": "p", "solution": "thus $\\\\boxed{\\\\frac{1}{2}}$", "level": "Level 2", "type": "Algebra"}'
    )
    (tmp_path / "aime.json").write_text('[{"problem": "q", "answer": 7}]')
    assert read_tasks(str(tmp_path / "gsm.jsonl")) == (Task("2+40?", "42", "gsm8k", None),)
    assert read_tasks(str(tmp_path / "math.jsonl")) == (Task("p", r"\frac{1}{2}", "Algebra", "Level 2"),)
    assert read_tasks(str(tmp_path / "aime.json"), "aime") == (Task("q", "7", "aime", None),)
    game = python_math(file=str(tmp_path / "math.jsonl"))
    game.start(np.random.default_rng(0))
    assert game.play("<answer>0.5</answer>").rewards == {"player_0": 1.0}


@pytest.mark.parametrize(
    ("text", "form", "message"),
    [
        ('{"question": "q", "answer": "42"}', "auto", 'record 1: "answer" names the answer after'),
        ('{"problem": "p", "solution": "x"}', "math", r"record 1: .solution. names the answer in"),
        ('{"problem": "p", "answer": "1"}\nnope', "aime", "record 2"),
        ('["x"', "auto", "begins as a JSON list"),
        ("", "auto", "holds no tasks"),
        ("[3]", "auto", "record 1: a task is a JSON object: got int"),
        ("{}", "csv", "form is auto"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, form: str, message: str) -> None:
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_tasks(str(tmp_path / "x.jsonl"), form)
