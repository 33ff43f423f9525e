"""`python_math`: questions with exact answers, and Python to work them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from turnwise.envs.arguments import one_of
from turnwise.envs.python_tool.answers import NEEDED, same_mathematics, same_plain
from turnwise.envs.python_tool.families import FAMILIES
from turnwise.envs.python_tool.files import read_tasks
from turnwise.envs.python_tool.puzzle import LEVELS
from turnwise.envs.python_tool.tool import PythonSession, python_tool
from turnwise.envs.requirements import require
from turnwise.envs.sandbox.boundary import Tier
from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.tools.calls import write_answer
from turnwise.envs.tools.game import ToolGame, ToolRules
from turnwise.envs.tools.problem import Draw, Problem, Verdict

PROMPTS = {
    "full": (
        "Answer a question; you can run Python to work the answer out. Print what you want to see. The answer is "
        "exact: an integer, a fraction such as 3/4, a word, or a list such as [1, 2]."
    ),
    "compact": "Run Python, then answer.",
}


def python_math(
    *,
    level: str = "easy",
    families: Sequence[str] | None = None,
    file: str | None = None,
    form: str = "auto",
    turns: int = 6,
    calls: int | None = None,
    call_cost: float = 0.0,
    session: bool = False,
    seconds: float = 5.0,
    memory_mb: int = 512,
    tier: Tier = "auto",
    prompt: str = "full",
) -> ToolGame:
    """Questions of arithmetic, number theory, combinatorics, graphs, tables and dates, with a Python tool.

    Args:
        level: easy, medium or hard.
        families: Names of the families to draw from (`families.FAMILIES`); None: all of them.
        file: Questions of a file in place of them, see `files.read_tasks`.
        form: Form of the file: auto, gsm8k, math or aime.
        turns: Replies, after which the episode is truncated.
        calls: Most calls of Python in an episode; None: as many as the turns allow.
        call_cost: Taken from the reward for every call.
        session: Keep variables from call to call.
        seconds: Longest time of one call, wall clock and processor.
        memory_mb: MiB of address space of one call.
        tier: Boundary of the sandbox, see `Sandbox`.
        prompt: full or compact.
    Reward: 1 for the right answer, else 0. Answers of generated questions and of GSM8K are compared as exact numbers,
    lists or words; of other files as mathematics, which needs the extra `math`. Raises ValueError on a bad argument.
    """
    names = tuple(FAMILIES) if families is None else tuple(families)
    one_of("level", level, LEVELS)
    if file is not None and form != "gsm8k":
        require(f"a file of the form {form}", NEEDED)
    limits = Limits(wall_s=seconds, cpu_s=seconds, memory_mb=memory_mb)
    workspace = PythonSession(limits, tier) if session else None
    draw: Draw = Generated(names, LEVELS.index(level), workspace) if file is None else FromFile(file, form, workspace)
    return ToolGame(
        draw,
        [python_tool(limits, tier, session=session, cost=call_cost, budget=calls)],
        rules=ToolRules.of(prompt, PROMPTS, turns=turns, fenced="python"),
        levels=LEVELS if file is None else (),
        can_clone=not session,
    )


@dataclass(frozen=True, slots=True)
class Generated:
    """Draws a family, then a question of it."""

    families: tuple[str, ...]
    level: int
    workspace: PythonSession | None

    def __post_init__(self) -> None:
        if not self.families:
            raise ValueError("families names at least one family: got none")
        for name in self.families:
            one_of("families", name, FAMILIES)

    def __call__(self, rng: np.random.Generator) -> Problem:
        name = self.families[rng.integers(len(self.families))]
        question, answer, code = FAMILIES[name](rng, self.level)
        return Problem(
            question=question,
            judge=partial(judge, answer, False),
            truth=answer,
            kind=name,
            level=LEVELS[self.level],
            workspace=self.workspace,
            plan=(f"```python\n{code}\n```", write_answer(answer)),
        )


@dataclass(frozen=True, slots=True)
class FromFile:
    """Draws a question of a file."""

    path: str
    form: str
    workspace: PythonSession | None

    def __call__(self, rng: np.random.Generator) -> Problem:
        tasks = read_tasks(self.path, self.form)
        task = tasks[rng.integers(len(tasks))]
        return Problem(
            question=task.question,
            judge=partial(judge, task.answer, True),
            truth=task.answer,
            kind=task.kind,
            level=task.level,
            workspace=self.workspace,
        )


def judge(truth: str, mathematics: bool, answer: str, workspace: Any) -> Verdict:
    """1 for the same answer: as mathematics, or as a plain value."""
    right = (same_mathematics if mathematics else same_plain)(truth, answer)
    return Verdict(float(right), {"exact_match": float(right)})
