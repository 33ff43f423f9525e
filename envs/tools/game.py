"""`ToolGame`: one seat, a question, tools to find the answer with."""

from __future__ import annotations

import copy
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from turnwise.envs.arguments import one_of
from turnwise.envs.core import IllegalAction, Step, TextGame, Unsupported
from turnwise.envs.tools.calls import BadCall, Call, read_answer, read_calls, write_answer, write_call
from turnwise.envs.tools.problem import Draw, Problem
from turnwise.envs.tools.schema import BadArguments, check_arguments, sample_arguments
from turnwise.envs.tools.tool import Tool, ToolError

SEAT = "player_0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRules:
    """Limits and wording of a tool environment."""

    instructions: str = ""
    """What the agent reads before the tools and the question."""
    turns: int = 10
    """Replies, after which the episode is truncated."""
    calls_per_turn: int = 4
    """Tool calls of one reply that are carried out; the others are refused."""
    response_chars: int = 4000
    """Longest response of a tool, in characters; the rest is cut off, and it is said so."""
    fenced: str | None = None
    """Name of the tool that fenced blocks of code go to."""
    rewards: tuple[float, float] = (0.0, 1.0)
    """(lowest, highest) reward of a verdict, in task units; costs of calls come off it."""
    show_schemas: bool = True
    """Name the tools with their JSON schemas in the first observation; off where a chat template does so."""

    @classmethod
    def of(cls, prompt: str, wordings: Mapping[str, str], **settings: Any) -> ToolRules:
        """The rules with the instructions of that wording; the schemas are shown in the full one only.

        Raises ValueError for a wording that there is not.
        """
        one_of("prompt", prompt, wordings)
        return cls(instructions=wordings[prompt], show_schemas=prompt == "full", **settings)

    def __post_init__(self) -> None:
        if min(self.turns, self.calls_per_turn, self.response_chars) < 1:
            raise ValueError(
                "turns, calls_per_turn and response_chars are at least 1: "
                f"got {self.turns}, {self.calls_per_turn} and {self.response_chars}"
            )


class ToolGame(TextGame):
    """Ask, call tools, read what they return, answer.

    A reply either calls tools (`<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, OpenAI's JSON, or
    `<search>text</search>` for a tool of one text) or gives the answer, `<answer>...</answer>` or a boxed one; calls go
    first. Reward: the verdict on the answer, less the cost of every call. A reply with neither, or with a call that no
    tool takes, is illegal; a tool that fails says so in its response. draw: gives each episode its problem;
    answers_known: each of them with its right answer; brings_tools: each of them with tools of its own.
    Raises ValueError where two tools have one name, or `fenced` names none.
    """

    seats = (SEAT,)
    has_anchor = True

    def __init__(
        self,
        draw: Draw,
        tools: Sequence[Tool] = (),
        *,
        rules: ToolRules | None = None,
        levels: tuple[str, ...] = (),
        can_clone: bool = True,
        answers_known: bool = True,
        brings_tools: bool = False,
    ) -> None:
        self.has_ground_truth = self.has_solution = answers_known
        self.draw, self.rules, self.levels, self.can_clone = draw, rules or ToolRules(), levels, can_clone
        self.brings_tools = brings_tools
        self._shared = tuple(tools)
        self._tools: dict[str, Tool] = {}
        self._equip(())
        self.dense_rewards = any(tool.cost for tool in tools)
        self._problem: Problem | None = None

    @property
    def utility_bounds(self) -> tuple[float, float]:  # type: ignore[override]  # costs depend on the tools
        """The verdict's bounds; calls may take their cost off the lower one."""
        low, high = self.rules.rewards
        calls = self.rules.turns * self.rules.calls_per_turn
        dearest = max((tool.cost for tool in self._tools.values()), default=0.0)
        bounded = sum(tool.cost * tool.budget for tool in self._tools.values() if tool.budget is not None)
        free = any(tool.budget is None and tool.cost for tool in self._tools.values())
        return low - (dearest * calls if free else min(bounded, dearest * calls)), high

    # The episode

    def start(self, rng: np.random.Generator) -> None:
        self.close()
        self._problem = problem = self.draw(rng)
        self._equip(problem.tools)
        self.task, self.level = problem.kind, problem.level
        self._workspace = copy.deepcopy(problem.workspace)
        self._used: Counter[str] = Counter()
        self._turn = 0
        self._news: str | None = self._opening(problem)
        self._said: list[str] = []
        self.seat = SEAT

    def observe(self, seat: str) -> str:
        if seat != SEAT:
            raise ValueError(f"observe needs the seat {SEAT}: got {seat!r}")
        news, self._news = self._news, None
        return news or ""

    def legal(self) -> None:
        return None

    def play(self, action: str) -> Step:
        problem = self._here()
        if self.seat is None:
            raise IllegalAction("the episode is over")
        calls = self._checked_calls(action)
        answer = None if calls else read_answer(action)
        if not calls and answer is None:
            raise IllegalAction(self._forms())
        self._turn += 1
        self._said.append(action)
        if answer is not None:
            verdict = problem.judge(answer, self._workspace)
            self._news = None
            self.seat = None
            return Step({SEAT: verdict.reward}, terminated=True, info={**verdict.info, "answer": self._clip(answer)})
        return self._call_all(calls)

    def sample_action(self, rng: np.random.Generator) -> str:
        """A call of a random tool with random arguments, or a wild guess."""
        names = list(self._tools)
        pick = int(rng.integers(len(names) + 1))
        if pick == len(names):
            return write_answer(str(int(rng.integers(100))))
        return write_call(names[pick], sample_arguments(self._tools[names[pick]].parameters, rng))

    # Optional members

    def tools(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(tool.schema for tool in self._tools.values())

    def ground_truth(self) -> str:
        truth = self._here().truth
        if truth is None:
            raise Unsupported("this problem has no single right answer as a text")
        return truth

    def anchor(self) -> str:
        """The question and everything said since, hashed: responses follow from it."""
        state = json.dumps([self._here().question, self._said], ensure_ascii=True)
        return hashlib.sha256(state.encode()).hexdigest()

    def solution(self) -> tuple[str, ...]:
        """The expert's replies that are left; the bare answer where play has left the expert's path."""
        problem = self._here()
        if self.seat is None:
            return ()
        if tuple(self._said) == problem.plan[: self._turn] and self._turn < len(problem.plan):
            return problem.plan[self._turn :]
        return (write_answer(self.ground_truth()),)

    def clone(self) -> Self:
        if not self.can_clone:
            return super().clone()
        twin = copy.copy(self)
        if self._problem is not None:
            twin._workspace = copy.deepcopy(self._workspace)
            twin._used, twin._said = self._used.copy(), self._said.copy()
        return twin

    def close(self) -> None:
        """End what the workspace holds open."""
        end = getattr(getattr(self, "_workspace", None), "close", None)
        if end is not None:
            end()

    # Inside

    def _here(self) -> Problem:
        if self._problem is None:
            raise RuntimeError("the game has not begun: call start(rng) first")
        return self._problem

    def _equip(self, own: Sequence[Tool]) -> None:
        tools = (*self._shared, *own)
        self._tools = {tool.name: tool for tool in tools}
        if len(self._tools) < len(tools):
            raise ValueError(f"every tool needs a name of its own: got {', '.join(tool.name for tool in tools)}")
        fenced = self.rules.fenced
        if fenced is not None and self._tools and fenced not in self._tools:
            raise ValueError(f"fenced names one of the tools {', '.join(self._tools)}: got {fenced!r}")

    def _opening(self, problem: Problem) -> str:
        schemas = [json.dumps(schema["function"], ensure_ascii=False) for schema in self.tools()]
        parts = [self.rules.instructions]
        if schemas and self.rules.show_schemas:
            parts.append("Tools, one JSON schema a line:\n" + "\n".join(schemas))
        return "\n\n".join(part for part in (*parts, self._forms(), f"Question: {problem.question}") if part)

    def _forms(self) -> str:
        """How to reply."""
        answer = f"answer with {write_answer('your answer')}"
        if not self._tools:
            return f"{answer[0].upper()}{answer[1:]}."
        first = next(iter(self._tools.values()))
        forms = ['<tool_call>{"name": tool, "arguments": {...}}</tool_call>']
        forms += [f"<{tool.name}>text</{tool.name}>" for tool in (first,) if tool.text_argument]
        forms += ["a fenced block of code"] if self.rules.fenced else []
        return f"Call a tool with {' or '.join(forms)}, or {answer}. You have {self.rules.turns} replies in all."

    def _checked_calls(self, action: str) -> list[tuple[Tool, Call]]:
        """The calls of a reply, all of which some tool takes. Raises IllegalAction."""
        try:
            calls = read_calls(action, self._tools, fenced=self.rules.fenced if self._tools else None)
            return [(self._tool_of(call), self._fitting(call)) for call in calls[: self.rules.calls_per_turn]]
        except (BadCall, BadArguments) as error:
            raise IllegalAction(str(error)) from None

    def _tool_of(self, call: Call) -> Tool:
        if call.name not in self._tools:
            raise BadCall(f"there is no tool {call.name[:40]!r}; the tools are {', '.join(self._tools) or 'none'}")
        return self._tools[call.name]

    def _fitting(self, call: Call) -> Call:
        return replace(call, arguments=check_arguments(self._tools[call.name].parameters, call.arguments))

    def _call_all(self, calls: Sequence[tuple[Tool, Call]]) -> Step:
        cost, responses = 0.0, []
        for tool, call in calls:
            spent = tool.budget is not None and self._used[tool.name] >= tool.budget
            response = f"error: all {tool.budget} calls of {tool.name} are used up" if spent else self._run(tool, call)
            cost += 0.0 if spent else tool.cost
            responses.append(f'<tool_response name="{tool.name}">\n{self._clip(response)}\n</tool_response>')
        info = {"tool_calls": tuple(call.to_json() for _, call in calls)}
        left = self.rules.turns - self._turn
        if left == 0:
            self.seat = None
        responses += ["This is your last reply: give your answer."] if left == 1 else []
        self._news = "\n".join(responses)
        return Step({SEAT: -cost} if cost else {}, truncated=left == 0, info=info)

    def _run(self, tool: Tool, call: Call) -> str:
        self._used[tool.name] += 1
        given = (self._workspace,) if tool.needs_workspace else ()
        try:
            return tool.run(*given, **call.arguments)
        except ToolError as error:
            return f"error: {error}"

    def _clip(self, text: str) -> str:
        longest = self.rules.response_chars
        return text if len(text) <= longest else f"{text[:longest]}\n... ({len(text) - longest} more characters)"
