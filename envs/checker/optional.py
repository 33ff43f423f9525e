"""What a game may declare beyond the least: levels, solutions, answers, tools, lead-ins."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from turnwise.envs.checker.play import clipped, episode, player
from turnwise.envs.checker.result import Figures, NotApplicable, require
from turnwise.envs.checker.subject import Subject
from turnwise.envs.core import TextGame, Unsupported

_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TYPES = {"string", "integer", "number", "boolean", "array", "object", "null"}
_SUM_OF_REWARDS = 1e-9


def every_level_starts(subject: Subject) -> Figures:
    """Every name in `levels` is an argument `level` that starts an episode of that level."""
    levels = subject.make().levels
    if not levels:
        raise NotApplicable("levels is empty")
    for level in levels:
        game = subject.make(level=level)
        game.start(player(0))
        require(game.level == level, f"level={level!r} starts an episode of that level: level is {game.level!r}")
        require(game.seat in game.seats, f"level={level!r} starts an episode: seat is {game.seat!r}")
    return {"levels": ", ".join(levels)}


def solutions_solve(subject: Subject) -> Figures:
    """The actions of `solution()` are legal, end the episode, and pay no less than random play from the same seed."""
    if not subject.make().has_solution:
        raise NotApplicable("has_solution is False")
    returns, spent = [], 0.0
    for seed in subject.seeds:
        referee = subject.referee()
        referee.start(seed)
        begin = time.perf_counter()
        plan = _plan(referee.game)
        spent = max(spent, time.perf_counter() - begin)
        require(_plan(referee.game) == plan, "asking for the solution changes nothing: a second call gave another one")
        for number, action in enumerate(plan):
            require(
                referee.seat is not None,
                f"the solution ends with the episode: it was over after {number} of {len(plan)}",
            )
            referee.observe()
            step = referee.game.play(action)  # not through a reply: an action is exact
            for seat, reward in step.rewards.items():
                referee.returns[seat] += reward
            referee.seat = referee.game.seat
        require(referee.game.seat is None, f"the solution ends the episode: {len(plan)} actions did not")
        (value,) = referee.returns.values()
        guessed = episode(subject.referee(), seed, limit=subject.horizon)
        (by_chance,) = (total for _, total in guessed.returns)
        require(
            not guessed.ended or value >= by_chance - _SUM_OF_REWARDS,
            f"the solution pays no less than random play: {value:g} against {by_chance:g} with seed {seed}",
        )
        returns.append(value)
    return {"return": sum(returns) / len(returns), "slowest ms": 1000 * spent}


def _plan(game: TextGame) -> tuple[str, ...]:
    require(len(game.seats) == 1, f"a solution is the only seat's: the game has {len(game.seats)}")
    plan = game.solution()
    require(
        isinstance(plan, tuple) and all(isinstance(action, str) for action in plan) and bool(plan),
        f"a solution is a tuple of action texts that is not empty: got {clipped(plan)}",
    )
    return plan


def ground_truth_is_a_text(subject: Subject) -> None:
    """`ground_truth()` is a text that is not empty, and play does not change it."""
    if not subject.make().has_ground_truth:
        raise NotApplicable("has_ground_truth is False")
    referee = subject.referee()
    referee.start(0)
    try:
        truth = referee.game.ground_truth()
    except Unsupported as error:
        raise NotApplicable(str(error)) from None
    require(
        isinstance(truth, str) and truth != "", f"the ground truth is a text that is not empty: got {clipped(truth)}"
    )
    if referee.seat is not None:
        referee.game.play(referee.game.sample_action(player(0)))
        again = referee.game.ground_truth()
        require(again == truth, f"play does not change the ground truth: {clipped(truth)} became {clipped(again)}")


def task_and_level_are_texts(subject: Subject) -> Figures:
    """`task` is a text or None from the start on, and `level` is one of `levels`, or None."""
    game = subject.make()
    game.start(player(0))
    require(
        game.task is None or (isinstance(game.task, str) and game.task != ""),
        f"a task is a text or None: got {game.task!r}",
    )
    require(
        game.level is None or game.level in game.levels,
        f"level is one of {', '.join(game.levels) or 'no levels'}, or None: got {game.level!r}",
    )
    return {name: value for name, value in (("task", game.task), ("level", game.level)) if value is not None}


def lead_ins_are_listed(subject: Subject) -> None:
    """Every `lead_in()` of random play is one of `lead_ins()`."""
    game = subject.make()
    game.start(player(0))
    known = set(game.lead_ins())
    rng = player(0)
    for _ in range(subject.horizon):
        if game.seat is None:
            game.start(rng)
        lead_in = game.lead_in()
        require(lead_in in known, f"lead_ins() holds every lead-in: {clipped(lead_in)} is not in it")
        game.play(game.sample_action(rng))


def tools_are_json_schemas(subject: Subject) -> Figures:
    """Every tool is a function with a name, a description and parameters in JSON schema."""
    game = subject.make()
    game.start(player(0))
    tools = game.tools()
    if not tools:
        raise NotApplicable("there are no tools")
    names = [_tool_name(tool) for tool in tools]
    require(len(set(names)) == len(names), f"every tool has a name of its own: got {', '.join(names)}")
    return {"tools": ", ".join(names)}


def _tool_name(tool: Mapping[str, Any]) -> str:
    """The name of a tool whose schema is sound. Raises Broken."""
    shown = clipped(tool)
    try:
        json.dumps(tool)
    except TypeError as error:
        require(False, f"a tool is plain JSON: {error} in {shown}")
    function = tool.get("function")
    require(tool.get("type") == "function" and isinstance(function, Mapping), f"a tool is a function: got {shown}")
    assert isinstance(function, Mapping)
    name, about = function.get("name"), function.get("description")
    require(
        isinstance(name, str) and bool(_TOOL_NAME.fullmatch(name)),
        f"a tool's name is 1 to 64 of A-Z a-z 0-9 _ -: got {name!r}",
    )
    require(isinstance(about, str) and about != "", f"a tool has a description: {name} has {about!r}")
    _require_schema(function.get("parameters"), f"the parameters of {name}")
    return str(name)


def _require_schema(schema: Any, where: str) -> None:
    """An object with typed properties, of which the required ones exist."""
    require(
        isinstance(schema, Mapping) and schema.get("type") == "object",
        f"{where} are of type object: got {clipped(schema)}",
    )
    properties, needed = schema.get("properties", {}), schema.get("required", [])
    require(isinstance(properties, Mapping), f"{where} have properties by name: got {clipped(properties)}")
    for name, kind in properties.items():
        require(isinstance(kind, Mapping), f"{where}: {name} is a schema: got {clipped(kind)}")
        types = kind.get("type", [])
        unknown = set(types if isinstance(types, list) else [types]) - _TYPES
        require(not unknown, f"{where}: {name} is of a type of JSON schema: got {sorted(unknown)}")
    missing = sorted(set(needed) - set(properties))
    require(not missing, f"{where}: what is required is a property: {', '.join(missing)} is not")
