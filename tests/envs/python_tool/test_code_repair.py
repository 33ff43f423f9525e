"""CodeRepair: bugs that are bugs, experts that repair them, tools that say what they need."""

from __future__ import annotations

import ast
import json
import pickle
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, seed_test

import turnwise
from turnwise.envs.core import IllegalAction
from turnwise.envs.python_tool.repair.bugs import inject, read_table, undo
from turnwise.envs.python_tool.repair.files import read_tasks
from turnwise.envs.python_tool.repair.game import LEVELS, code_repair
from turnwise.envs.python_tool.repair.make_bugs import hidden, visible
from turnwise.envs.python_tool.repair.mutate import OPERATORS, mutants
from turnwise.envs.python_tool.repair.repository import read_repository, repository_names, split_sections
from turnwise.envs.tools.calls import write_answer, write_call
from turnwise.envs.tools.game import ToolGame

NAMES = repository_names()
SEAT = "player_0"
DONE = write_answer("done")


def play_out(game: ToolGame) -> float:
    """The last reward of the expert."""
    return [game.play(reply) for reply in game.solution()][-1].rewards[SEAT]


def say(game: ToolGame, name: str, **arguments: object) -> str:
    """What a tool answers."""
    game.observe(SEAT)
    game.play(write_call(name, arguments))
    return "\n".join(game.observe(SEAT).splitlines()[1:-1])


# --- the repositories and their bugs ---------------------------------------------------------------------------------


def test_there_are_fourteen_small_repositories() -> None:
    assert len(NAMES) == 14
    for name in NAMES:
        repository = read_repository(name)
        code = [line for text in repository.files.values() for line in text.splitlines() if line.strip()]
        assert 3 <= len(repository.files) <= 6
        assert 40 <= len(code) <= 130
        assert repository.summary and repository.tests and repository.hidden
        assert not any("\t" in line for line in code)


@pytest.mark.parametrize("name", NAMES)
def test_a_repository_passes_its_tests_and_its_bugs_fail_them(name: str) -> None:
    """A sample of the table, drawn by the name; every bug fails a visible and a hidden test."""
    repository, table = read_repository(name), read_table(name)
    assert all(outcome.passed for outcome in (*visible(repository, repository.files),))
    assert all(outcome.passed for outcome in (*hidden(repository, repository.files),))
    assert len(table.bugs) >= 8 and len(table.pairs) >= 8
    rng = np.random.default_rng(list(name.encode()))
    single = table.bugs[rng.integers(len(table.bugs))]
    pair = tuple(table.bugs[index] for index in table.pairs[rng.integers(len(table.pairs))])
    for bugs in ((single,), pair):
        files = inject(repository.files, bugs)
        failed = [outcome for outcome in visible(repository, files) if not outcome.passed]
        assert failed and any(not outcome.passed for outcome in hidden(repository, files))
        if len(bugs) == 1:
            assert tuple(outcome.name for outcome in failed) == single.fails
            assert failed[0].message == single.message


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_bug_of_a_table_is_one(name: str) -> None:
    repository, table = read_repository(name), read_table(name)
    for bugs in [(bug,) for bug in table.bugs] + [(table.bugs[a], table.bugs[b]) for a, b in table.pairs]:
        files = inject(repository.files, bugs)
        assert not all(outcome.passed for outcome in visible(repository, files))
        assert not all(outcome.passed for outcome in hidden(repository, files))


@pytest.mark.parametrize("name", NAMES)
def test_every_bug_is_put_in_and_taken_out_where_it_says(name: str) -> None:
    repository, table = read_repository(name), read_table(name)
    for bug in table.bugs:
        files = inject(repository.files, [bug])
        assert files != repository.files and undo(files, [bug]) == repository.files
        ast.parse(files[bug.path])
        assert bug.operator in OPERATORS
    for first, second in table.pairs:
        both = table.bugs[first], table.bugs[second]
        assert (both[0].path, both[0].place) != (both[1].path, both[1].place)
        assert undo(inject(repository.files, both), both) == repository.files


def test_all_kinds_of_bugs_but_a_few_occur() -> None:
    assert {bug.operator for name in NAMES for bug in read_table(name).bugs} == set(OPERATORS)


def test_mutants_by_hand() -> None:
    source = "def f(a, b):\n    if a < b:\n        return min(a, b) + 1\n    return a - b\n"
    made = {(mutant.operator, mutant.text.splitlines()[number]) for mutant in mutants(source) for number in (1, 2, 3)}
    changed = {(operator, line.strip()) for operator, line in made if line not in source.splitlines()}
    assert changed == {
        ("comparison", "if a <= b:"),
        ("name", "return max(a, b) + 1"),
        ("swap", "return min(b, a) + 1"),
        ("arithmetic", "return min(a, b) - 1"),
        ("constant", "return min(a, b) + 0"),
        ("constant", "return min(a, b) + 2"),
        ("result", "return None"),
        ("arithmetic", "return a + b"),
        ("swap", "return b - a"),
    }
    assert all(mutant.place == "f" for mutant in mutants(source))
    with pytest.raises(ValueError, match="ASCII"):
        mutants("x = 'é'")


def test_sections() -> None:
    assert split_sections("about\n=== a.py\nx = 1\n\n=== b/c.py\n") == ("about", {"a.py": "x = 1\n", "b/c.py": "\n"})
    with pytest.raises(ValueError, match="a path of its own"):
        split_sections("=== a\n1\n=== a\n2\n")


# --- the game ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_the_expert_repairs_it(name: str, level: str) -> None:
    game = code_repair(level=level, repository=name)
    game.start(np.random.default_rng(5))
    assert (game.task, game.level) == (name, level)
    assert len(game.solution()) == (6 if level == "hard" else 4)
    assert game.ground_truth().count("@@ ") >= 1
    assert play_out(game) == 1.0


def test_unrepaired_it_is_worth_nothing_or_the_share_of_tests_that_pass() -> None:
    for reward in ("all", "fraction"):
        game = code_repair(repository="queues", reward=reward)
        game.start(np.random.default_rng(0))
        step = game.play(DONE)
        passed = step.info["tests_passed"]
        assert step.terminated and step.info["solved"] == 0.0 and 0 < passed < step.info["tests"] == 15
        assert step.rewards == {SEAT: 0.0 if reward == "all" else passed / 15}


def test_the_levels_say_less_and_less() -> None:
    texts = {}
    for level in LEVELS:
        game = code_repair(level=level, repository="ledger")
        game.start(np.random.default_rng(1))
        texts[level] = game.observe(SEAT)
        assert game.observe(SEAT) == ""
    assert "There is one bug in it. This test fails: tests/test_ledger.py: " in texts["easy"]
    assert texts["medium"].endswith("There is one bug in it: its tests fail.")
    assert texts["hard"].endswith("There are two bugs in it, in different functions: its tests fail.")
    assert "hidden/" not in "".join(texts.values())


def test_the_same_seed_is_the_same_episode_and_seeds_differ() -> None:
    def first(seed: int) -> str:
        game = code_repair(prompt="compact")
        game.start(np.random.default_rng(seed))
        return game.observe(SEAT) + game.ground_truth()

    assert first(3) == first(3)
    assert len({first(seed) for seed in range(20)}) >= 15


@pytest.mark.parametrize("name", NAMES)
def test_messages_hold_nothing_that_changes_from_run_to_run(name: str) -> None:
    for bug in read_table(name).bugs:
        assert "/calls/" not in bug.message and "<code>" not in bug.message
        assert len(bug.message) < 800


@pytest.fixture
def game() -> ToolGame:
    made = code_repair(repository="caches", turns=40)
    made.start(np.random.default_rng(2))
    return made


def test_tools_read(game: ToolGame) -> None:
    assert "caches/recent.py (41 lines)" in say(game, "list_files")
    assert say(game, "view", path="caches/__init__.py") == '  1 """Caches with bounds."""'
    assert say(game, "view", path="caches/recent.py", start=6, end=6) == "  6 class RecentCache:"
    assert say(game, "search", text="class TimedCache") == "caches/timed.py:4: class TimedCache:"
    assert say(game, "search", text="nowhere at all") == "no line holds it"
    assert "class RecentTest" in say(game, "view", path="tests/test_caches.py")


def test_tools_change_and_test(game: ToolGame) -> None:
    report = say(game, "run_tests")
    assert report.startswith("8 tests: ") and "FAILED tests/test_caches.py: " in report
    before = say(game, "view", path="caches/memo.py")
    assert say(game, "edit", path="caches/memo.py", old="MISSING = object()", new="MISSING = [0]").startswith(
        "caches/memo"
    )
    assert say(game, "view", path="caches/memo.py") == before.replace("object()", "[0]")
    assert say(game, "write", path="caches/more.py", text="x = 1\n") == "caches/more.py is written: 1 lines"
    assert say(game, "run_tests", path="tests/test_caches.py") == report
    say(game, "write", path="caches/timed.py", text="def x(:\n")
    assert "caches/timed.py, line 1: SyntaxError" in say(game, "run_tests")
    say(game, "write", path="caches/timed.py", text="while True: pass\n")
    report = say(game, "run_tests")
    assert report.startswith("8 tests: 0 passed, 8 failed") and "the tests did not end: killed" in report


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("view", {"path": "no.py"}, "there is no file 'no.py'; the files are caches/__init__.py"),
        ("view", {"path": "../../etc/passwd"}, "there is no file"),
        ("view", {"path": "hidden/test_caches_more.py"}, "there is no file"),
        ("view", {"path": "caches/memo.py", "start": 99}, "there is nothing from 99"),
        ("view", {"path": "caches/memo.py", "start": -1}, "there is nothing from -1"),
        ("edit", {"path": "caches/memo.py", "old": "cache", "new": ""}, "it occurs 6 times"),
        ("edit", {"path": "caches/memo.py", "old": "zzz", "new": ""}, "it does not occur as it is written"),
        ("edit", {"path": "caches/memo.py", "old": "", "new": "x"}, "exactly once"),
        ("edit", {"path": "tests/test_caches.py", "old": "RecentTest", "new": "x"}, "cannot be changed"),
        ("write", {"path": "tests/test_caches.py", "text": ""}, "cannot be changed"),
        ("write", {"path": "tests/new.py", "text": ""}, "cannot be changed"),
        ("write", {"path": "hidden/test_x.py", "text": ""}, "cannot be changed"),
        ("write", {"path": "unittest.py", "text": ""}, "would hide a module of the standard library"),
        ("write", {"path": "json/__init__.py", "text": ""}, "would hide a module"),
        ("write", {"path": "/tmp/x", "text": ""}, "a path is like"),
        ("write", {"path": "a/../b.py", "text": ""}, "a path is like"),
        ("write", {"path": "a\u00e9.py", "text": ""}, "a path is like"),
        ("write", {"path": "x" * 100_000, "text": ""}, "a path is like"),
        ("write", {"path": "caches", "text": ""}, "cannot have the same path"),
        ("write", {"path": "x.py", "text": "y" * 100_000}, "at most 50,000 characters"),
        ("write", {"path": "x.py", "text": "\0"}, "NUL"),
        ("write", {"path": "x.py", "text": "\ud800"}, "surrogate"),
        ("search", {"text": " "}, "not blank"),
        ("run_tests", {"path": "caches/memo.py"}, "is no file of tests"),
    ],
)
def test_tools_say_what_they_need(game: ToolGame, name: str, arguments: dict[str, object], message: str) -> None:
    response = say(game, name, **arguments)
    assert response.startswith("error: ") and message in response and len(response) < 2000


def test_there_are_at_most_sixty_files() -> None:
    made = code_repair(repository="caches", turns=100)
    made.start(np.random.default_rng(0))
    responses = [say(made, "write", path=f"f{number}.py", text="") for number in range(57)]
    assert responses[-2] == "f55.py is written: 0 lines" and "at most 60 files" in responses[-1]


@pytest.mark.parametrize("text", ["", "x" * 100_000, "\0", "<tool_call>{", '{"name": "view"}', "[" * 100_000])
def test_replies_that_are_no_moves(game: ToolGame, text: str) -> None:
    with pytest.raises(IllegalAction) as caught:
        game.play(text)
    assert len(str(caught.value)) < 500


def test_copies_go_their_own_way(game: ToolGame) -> None:
    say(game, "write", path="caches/a.py", text="x = 1")
    twins = [game.clone(), pickle.loads(pickle.dumps(game))]
    assert twins[0].anchor() == twins[1].anchor() == game.anchor()
    say(twins[0], "write", path="caches/a.py", text="x = 2")
    say(twins[1], "write", path="caches/b.py", text="")
    assert say(game, "view", path="caches/a.py") == "  1 x = 1"
    assert "no file" in say(game, "view", path="caches/b.py")
    other = code_repair(repository="caches", turns=40)
    other.start(np.random.default_rng(2))
    assert "no file" in say(other, "view", path="caches/a.py")


def test_an_episode_ends_by_itself() -> None:
    made = code_repair(turns=2)
    made.start(np.random.default_rng(0))
    assert not made.play(write_call("list_files", {})).truncated
    assert made.play(write_call("list_files", {})).truncated and made.seat is None


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"level": "x"}, "level is one of easy, medium, hard: got 'x'"),
        ({"reward": "some"}, "reward is one of all, fraction: got 'some'"),
        ({"repository": "linux"}, "repository is one of None, caches"),
        ({"prompt": "long"}, "prompt is one of full, compact"),
        ({"file": "a.jsonl", "repository": "caches"}, "leave out repository='caches'"),
        ({"turns": 0}, "at least 1"),
    ],
)
def test_settings(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        code_repair(**kwargs)  # type: ignore[arg-type]


def test_it_passes_the_official_checkers() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api_test(turnwise.aec_env("CodeRepair-LLM"), num_cycles=20)
    seed_test(lambda: turnwise.aec_env("CodeRepair-LLM"), num_cycles=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make("CodeRepair-LLM").unwrapped)


# --- files ------------------------------------------------------------------------------------------------------------

TEST = """import unittest
from m import f

class T(unittest.TestCase):
    def test_f(self):
        self.assertEqual(f(), 2)
"""
TASK = {
    "instruction": "f returns 2",
    "files": {"m.py": "import os\ndef f():\n    return 1\n"},
    "tests": {"tests/test_m.py": TEST},
}


def test_tasks_of_one_s_own(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(
        "\n" + json.dumps({**TASK, "hidden": {"hidden/test_n.py": TEST.replace("class T", "class U")}}) + "\n"
    )
    made = code_repair(file=str(path), reward="fraction")
    assert not made.has_ground_truth and not made.has_solution and made.levels == ()
    made.start(np.random.default_rng(0))
    assert made.observe(SEAT).endswith("Question: f returns 2\nFiles: m.py, tests/test_m.py.")
    assert "AssertionError: 1 != 2" in say(made, "run_tests")
    say(made, "edit", path="m.py", old="return 1", new="return 2")
    step = made.play(DONE)
    assert step.rewards == {SEAT: 1.0} and step.info["tests"] == 2


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "line 2: a task is a JSON object"),
        ({**TASK, "files": {}}, 'line 2: "files" holds at least one file'),
        ({**TASK, "files": {"m.py": 3}}, 'line 2: "files" is {path: text}'),
        ({**TASK, "files": {"../m.py": ""}}, "paths like package/module.py"),
        ({**TASK, "tests": {"tests/test_m.py": "def test_f(): pass"}}, "of a class of unittest"),
        ({**TASK, "tests": {"test_m.py": TEST}}, "lie below tests/"),
        ({**TASK, "tests": {"tests/test_m.py": "def ("}}, "line 2: "),
        ({**TASK, "hidden": {"m.py": TEST}}, "or be there twice"),
        ({**TASK, "instruction": None}, 'a text "instruction"'),
    ],
)
def test_bad_files(tmp_path: Path, record: object, message: str) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text("\n" + json.dumps(record))
    with pytest.raises(ValueError, match=message.replace("{", r"\{")):
        read_tasks(str(path))
    path.write_text("{")
    with pytest.raises(ValueError, match="line 1: "):
        read_tasks(str(path))
    path.write_text("")
    with pytest.raises(ValueError, match="holds no tasks"):
        read_tasks(str(path))
