"""`mcp_game`: questions that are answered with the tools of an MCP server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from turnwise.envs.arguments import one_of
from turnwise.envs.tools.calls import write_answer, write_call
from turnwise.envs.tools.example_server import PRICES, make_server
from turnwise.envs.tools.game import ToolGame, ToolRules
from turnwise.envs.tools.mcp import McpServer, Server, own_server, python_server, shared_server
from turnwise.envs.tools.problem import Problem, Verdict

LEVELS = {"easy": 1, "medium": 2, "hard": 4}
"""Level of the example's questions -> kinds of items in the order."""
PROMPTS = {
    "full": "Answer a question with the help of tools. The answer is short: a number, a word or a name.",
    "compact": "Use the tools, then answer.",
}


def mcp_game(
    *,
    server: Server | None = None,
    tasks: str | Sequence[Mapping[str, str]] | None = None,
    environment: Mapping[str, str] | None = None,
    deadline_s: float = 30.0,
    only: Sequence[str] | None = None,
    cost: float = 0.0,
    budget: int | None = None,
    turns: int = 10,
    level: str = "easy",
    transport: str = "memory",
    share: str = "process",
    prompt: str = "full",
) -> ToolGame:
    """Questions and the tools of a server.

    Args:
        server: Url, command line, or a function that makes a server; see `McpServer`. None: the example shop.
        tasks: `{"question": ..., "answer": ...}` records, or a JSON-lines file of them; needed with a server.
        environment, deadline_s, only, cost, budget: See `McpServer`.
        turns: Replies, after which the episode is truncated.
        level: Of the example's questions: easy, medium, hard.
        transport: Of the example: memory (in this process) or stdio (a process of its own).
        share: One connection for a "process", for every "game" object, or a new one for every "episode": for servers
            that keep something between calls, which no other episode may see.
        prompt: full or compact.
    Reward: 1 where the answer equals the right one but for case and blanks. Raises ValueError, OSError.
    """
    one_of("level", level, LEVELS)
    one_of("transport", transport, ("stdio", "memory"))
    one_of("share", share, ("process", "game", "episode"))
    if (server is None) != (tasks is None):
        raise ValueError("a server of your own and tasks for it come together: give both, or neither for the example")
    if server is None:
        server = make_server if transport == "memory" else python_server("turnwise.envs.tools.example_server")
    if not isinstance(server, str) and not callable(server):
        server = tuple(server)
    variables, names = tuple((environment or {}).items()), None if only is None else tuple(only)
    link = (shared_server if share == "process" else own_server)(server, variables, deadline_s, names, cost, budget)
    known = () if tasks is None else read_tasks(tasks)
    draw = McpTasks(link=link, tasks=known, level=level, anew=share == "episode")
    rules = ToolRules.of(prompt, PROMPTS, turns=turns)
    return ToolGame(draw, rules=rules, levels=tuple(LEVELS) if tasks is None else (), brings_tools=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class McpTasks:
    """Draws a question; the server is reached at the first one."""

    link: McpServer
    tasks: tuple[tuple[str, str], ...] = ()
    """(question, answer); empty: questions about the example shop."""
    level: str = "easy"
    anew: bool = False
    """Close the connection when the episode is over."""

    def __call__(self, rng: np.random.Generator) -> Problem:
        problem = self._given(rng) if self.tasks else shop_problem(LEVELS[self.level], rng)
        level = None if self.tasks else self.level
        return replace(problem, tools=self.link.tools(), level=level, workspace=self.link if self.anew else None)

    def _given(self, rng: np.random.Generator) -> Problem:
        question, answer = self.tasks[rng.integers(len(self.tasks))]
        return Problem(question=question, judge=partial(judge, answer), truth=answer)


def shop_problem(kinds: int, rng: np.random.Generator) -> Problem:
    """An order of so many kinds of items, whose cost is asked for."""
    names = [list(PRICES)[i] for i in rng.permutation(len(PRICES))[:kinds]]
    counts = [int(count) for count in rng.integers(2, 20, size=kinds)]
    order = " and ".join(f"{count} x {name}" for name, count in zip(names, counts, strict=True))
    prices = [PRICES[name] for name in names]
    answer = str(sum(one * count for one, count in zip(prices, counts, strict=True)))
    lookups = tuple(write_call("price", {"item": name}) for name in names)
    plan = ("".join(lookups), write_call("total", {"prices": prices, "counts": counts}), write_answer(answer))
    return Problem(
        question=f"What does this order cost, in crowns: {order}?",
        judge=partial(judge, answer),
        truth=answer,
        kind=f"order of {kinds}",
        plan=plan,
    )


def judge(truth: str, answer: str, workspace: Any) -> Verdict:
    """1 where both texts are equal but for case and blanks."""
    right = "".join(answer.split()).casefold() == "".join(truth.split()).casefold()
    return Verdict(float(right), {"exact_match": float(right)})


def read_tasks(tasks: str | Sequence[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    """(question, answer) of every record. Raises ValueError with the number of the first bad one."""
    return _file_tasks(tasks) if isinstance(tasks, str) else _checked(tasks, "tasks")


@lru_cache(maxsize=4)
def _file_tasks(path: str) -> tuple[tuple[str, str], ...]:
    records = []
    for line in Path(path).expanduser().read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line) if line.strip() else None)
        except ValueError:
            records.append("no JSON")
    return _checked([record for record in records if record is not None], path)


def _checked(records: Sequence[Any], where: str) -> tuple[tuple[str, str], ...]:
    for number, record in enumerate(records, 1):
        fits = isinstance(record, Mapping) and all(isinstance(record.get(key), str) for key in ("question", "answer"))
        if not fits:
            raise ValueError(f'{where}, record {number}: a task is {{"question": text, "answer": text}}')
    if not records:
        raise ValueError(f"{where} holds no tasks")
    return tuple((record["question"], record["answer"]) for record in records)
