"""`code_repair`: a small repository with a bug in it, tools to read, change and test it, hidden tests as the judge."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from turnwise.envs.python_tool.repair.bugs import Bug, draw_bugs, inject, read_table
from turnwise.envs.python_tool.repair.files import read_tasks
from turnwise.envs.python_tool.repair.repository import read_repository, repository_names
from turnwise.envs.python_tool.repair.testing import run_tests
from turnwise.envs.python_tool.repair.workspace import Workspace, workspace_tools
from turnwise.envs.tools.calls import write_answer, write_call
from turnwise.envs.tools.game import ToolGame, ToolRules
from turnwise.envs.tools.problem import Draw, Problem, Verdict

LEVELS = {"easy": 1, "medium": 1, "hard": 2}
"""Level -> bugs. The easy question names a test that fails, with its message."""
REWARDS = ("all", "fraction")
PROMPTS = {
    "full": (
        "Repair a small Python repository. Read its files, change them, run its tests; the tests themselves cannot be "
        f"changed. When it is repaired, answer {write_answer('done')}: then its tests, and hidden ones, judge it."
    ),
    "compact": (
        "Repair the code. Tools: view(path), edit(path, old, new), write(path, text), search(text), list_files(), "
        f"run_tests(). Done: {write_answer('done')}."
    ),
}
LONGEST_RESPONSE = 6000


def code_repair(
    *,
    level: str = "easy",
    repository: str | None = None,
    reward: str = "all",
    turns: int = 12,
    file: str | None = None,
    prompt: str = "full",
) -> ToolGame:
    """Bugs in small repositories, to be found and repaired.

    Args:
        level: easy (one bug, a failing test is named and its message told), medium (one bug), or hard (two bugs in
            different functions).
        repository: Name of the repository; None: any of `repository.repository_names()`.
        reward: all (1 where every visible and hidden test passes, else 0) or fraction (of these tests that pass).
        turns: Replies, after which the episode is truncated.
        file: Tasks of a file in place of them, see `files.read_tasks`; their right answers are not known.
        prompt: full or compact.
    Raises ValueError on an argument that is none of these.
    """
    for name, value, allowed in (
        ("level", level, tuple(LEVELS)),
        ("reward", reward, REWARDS),
        ("prompt", prompt, tuple(PROMPTS)),
        ("repository", repository, (None, *repository_names())),
    ):
        if value not in allowed:
            raise ValueError(f"{name} is one of {', '.join(str(one) for one in allowed)}: got {value!r}")
    if file is not None and repository is not None:
        raise ValueError(f"a file has repositories of its own: leave out repository={repository!r}")
    names = repository_names() if repository is None else (repository,)
    draw: Draw = Generated(names, level, reward) if file is None else FromFile(file, reward)
    rules = ToolRules(
        instructions=PROMPTS[prompt],
        turns=turns,
        show_schemas=prompt == "full",
        response_chars=LONGEST_RESPONSE,
    )
    levels = tuple(LEVELS) if file is None else ()
    return ToolGame(draw, workspace_tools(), rules=rules, levels=levels, answers_known=file is None)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a repair is judged by."""

    tests: Mapping[str, str]
    hidden: Mapping[str, str]
    strict: bool
    reward: str


@dataclass(frozen=True, slots=True)
class Generated:
    """Draws a repository, then its bugs."""

    names: tuple[str, ...]
    level: str
    reward: str

    def __call__(self, rng: np.random.Generator) -> Problem:
        name = self.names[rng.integers(len(self.names))]
        repository, bugs = read_repository(name), draw_bugs(read_table(name), LEVELS[self.level], rng)
        files = inject(repository.files, bugs)
        return Problem(
            question=f"{repository.summary}\n{_files(files, repository.tests)}\n{_complaint(self.level, bugs)}",
            judge=partial(judge, Judged(repository.tests, repository.hidden, True, self.reward)),
            truth=_difference(files, repository.files),
            kind=name,
            level=self.level,
            workspace=Workspace(files, dict(repository.tests)),
            plan=_plan(bugs),
        )


@dataclass(frozen=True, slots=True)
class FromFile:
    """Draws a task of a file."""

    path: str
    reward: str

    def __call__(self, rng: np.random.Generator) -> Problem:
        tasks = read_tasks(self.path)
        task = tasks[rng.integers(len(tasks))]
        return Problem(
            question=f"{task.instruction}\n{_files(task.files, task.tests)}",
            judge=partial(judge, Judged(task.tests, task.hidden, False, self.reward)),
            kind="file",
            workspace=Workspace(dict(task.files), dict(task.tests), strict=False),
        )


def judge(judged: Judged, answer: str, workspace: Workspace) -> Verdict:
    """Run the tests as they were given over the files as they are now; what the answer says does not matter."""
    tests = {**judged.tests, **judged.hidden}
    outcomes = run_tests(workspace.files, tests, judged.tests, strict=judged.strict)
    passed = sum(outcome.passed for outcome in outcomes)
    solved = float(passed == len(outcomes))
    worth = solved if judged.reward == "all" else passed / len(outcomes)
    return Verdict(worth, {"solved": solved, "tests_passed": passed, "tests": len(outcomes)})


def _files(files: Mapping[str, str], tests: Mapping[str, str]) -> str:
    return f"Files: {', '.join(sorted([*files, *tests]))}."


def _complaint(level: str, bugs: tuple[Bug, ...]) -> str:
    if level == "easy":
        return f"There is one bug in it. This test fails: {bugs[0].fails[0]}\n{bugs[0].message}"
    if level == "medium":
        return "There is one bug in it: its tests fail."
    return "There are two bugs in it, in different functions: its tests fail."


def _difference(files: Mapping[str, str], right: Mapping[str, str]) -> str:
    """What repairs the files, as a unified diff."""
    lines: list[str] = []
    for path in sorted(right):
        pair = files[path].splitlines(), right[path].splitlines()
        lines += difflib.unified_diff(*pair, f"a/{path}", f"b/{path}", lineterm="", n=1)
    return "\n".join(lines)


def _plan(bugs: tuple[Bug, ...]) -> tuple[str, ...]:
    """Look, repair, test, answer."""
    steps = []
    for bug in bugs:
        steps.append(write_call("view", {"path": bug.path}))
        steps.append(write_call("edit", {"path": bug.path, "old": bug.wrong, "new": bug.right}))
    return (*steps, write_call("run_tests", {}), write_answer("done"))
