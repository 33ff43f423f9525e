"""Writes games as ALFWorld's own folders, for the stock engine and for whatever else reads them.

    python -m turnwise.envs.alfworld.export OUT --split train --games 60

The domain and the grammar, which every such file holds, come from the installed alfworld package.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from turnwise.envs.alfworld.generate import generated_world
from turnwise.envs.alfworld.goals import TASKS, read_aim
from turnwise.envs.alfworld.house import WRITTEN
from turnwise.envs.alfworld.layouts import SPLITS
from turnwise.envs.alfworld.official import FILE, FOLDER
from turnwise.envs.alfworld.problem import Formula, Problem, ProblemError

_UNKNOWN_TASK = "UNKNOWN GOAL."
_CONSTANTS = {"rtype": ("fridge", "microwave", "sinkbasin"), "otype": ("butterknife", "knife")}
"""Kinds that the domain itself speaks of, so that every problem has to declare them."""


def export_games(out: str | Path, *, split: str = "train", task: str | None = None, games: int = 60) -> list[Path]:
    """Write generated games below `out`; the folders written, one a game.

    task: None takes all six in turn. Raises ModuleNotFoundError where alfworld is not installed, ValueError on a bad
    setting.
    """
    if games < 1:
        raise ValueError(f"games is at least 1: got {games}")
    folders = []
    for number in range(games):
        chosen, count = (task, number) if task else (TASKS[number % len(TASKS)], number // len(TASKS))
        problem = generated_world(split, chosen, count).problem
        folders.append(export_game(problem, Path(out) / FOLDER / split, trial=f"trial_{count:06d}"))
    return folders


def export_game(problem: Problem, folder: Path, *, trial: str) -> Path:
    """Write one game into `folder/<task>-<object>-None-<place>-<number>/<trial>`, which is returned."""
    story = trajectory(problem, trial)
    params = story["pddl_params"]
    place = params["parent_target"] or params["toggle_target"]
    name = f"{story['task_type']}-{params['object_target']}-None-{place}-{trial.rpartition('_')[2].lstrip('0') or 0}"
    home = folder / name / trial
    home.mkdir(parents=True, exist_ok=True)
    (home / FILE).write_text(json.dumps(stock_game(problem)), encoding="utf-8")
    (home / "traj_data.json").write_text(json.dumps(story), encoding="utf-8")
    (home / "initial_state.pddl").write_text(write_problem(problem), encoding="utf-8")
    return home


def stock_game(problem: Problem) -> dict[str, Any]:
    """The contents of a game file. Raises ModuleNotFoundError where alfworld is not installed."""
    data = _alfworld_data()
    grammar = (data / "alfred.twl2").read_text(encoding="utf-8")
    if _UNKNOWN_TASK not in grammar:
        raise ValueError(f"the grammar of alfworld has a place for the task ({_UNKNOWN_TASK}): that of {data} has none")
    return {
        "pddl_domain": (data / "alfred.pddl").read_text(encoding="utf-8"),
        "grammar": grammar.replace(_UNKNOWN_TASK, json.dumps(problem.sentence)[1:-1]),
        "pddl_problem": write_problem(problem),
        "solvable": True,
        "walkthrough": list(problem.walkthrough),
    }


def trajectory(problem: Problem, trial: str) -> dict[str, Any]:
    """What ALFWorld reads beside the game: the task type and what it is about. Raises ProblemError on another goal."""
    aim = read_aim(problem.goal)
    if aim is None:
        raise ProblemError(f"a folder of ALFWorld is named after one of the six tasks: {problem.name} has none of them")
    params = {
        "object_target": WRITTEN.get(aim.kind, aim.kind),
        "parent_target": WRITTEN.get(aim.destination, aim.destination),
        "toggle_target": WRITTEN.get(aim.lamp, aim.lamp),
        "mrecep_target": "",
        "object_sliced": False,
    }
    told = {"task_desc": problem.sentence, "high_descs": list(problem.walkthrough)}
    return {
        "task_id": trial,
        "task_type": aim.task,
        "pddl_params": params,
        "turk_annotations": {"anns": [told]},
        "scene": {"floor_plan": problem.name},
    }


def write_problem(problem: Problem) -> str:
    """The problem as PDDL text; `read_problem` reads it back."""
    objects, facts = "\n    ".join(_objects(problem)), "\n    ".join(_facts(problem))
    return (
        "(define (problem turnwise)\n  (:domain alfred)\n"
        f"  (:objects\n    {objects}\n  )\n"
        f"  (:init\n    (= (total-cost) 0)\n    {facts}\n  )\n"
        f"  (:goal {write_formula(problem.goal)})\n)\n"
    )


def write_formula(formula: Formula) -> str:
    """A goal as PDDL text."""
    match formula:
        case ("exists" | "forall" as quantifier, variables, body):
            listed = " ".join(f"{name} - {kind}" for name, kind in variables)
            return f"({quantifier} ({listed}) {write_formula(body)})"
        case _:
            return f"({' '.join(part if isinstance(part, str) else write_formula(part) for part in formula)})"


def _objects(problem: Problem) -> Iterator[str]:
    """Everything that there is, with its type."""
    places, kinds = zip(*problem.can_contain, strict=True) if problem.can_contain else ((), ())
    types = {
        "rtype": {*_CONSTANTS["rtype"], *places, *(item.kind for item in problem.receptacles)},
        "otype": {*_CONSTANTS["otype"], *kinds, *(thing.kind for thing in problem.things)},
    }
    yield "agent1 - agent"
    for type_name, members in types.items():
        yield from (f"{kind}type - {type_name}" for kind in sorted(members - {""}))
    yield from (f"{thing.id} - object" for thing in problem.things)
    yield from (f"{item.id} - receptacle" for item in problem.receptacles)
    spots = {problem.start, *(item.spot for item in problem.receptacles if item.spot)}
    yield from (f"{spot} - location" for spot in sorted(spots.union(*(thing.spots for thing in problem.things))))


def _facts(problem: Problem) -> Iterator[str]:
    """Everything that holds at the start."""
    yield f"(atlocation agent1 {problem.start})"
    if problem.held:
        yield from (f"(holds agent1 {problem.held})", "(holdsany agent1)")
    yield from (f"(cancontain {place}type {kind}type)" for place, kind in problem.can_contain)
    for item in problem.receptacles:
        told = (
            (item.kind, f"(receptacletype {item.id} {item.kind}type)"),
            (item.spot, f"(receptacleatlocation {item.id} {item.spot})"),
            (item.openable, f"(openable {item.id})"),
            (item.opened, f"(opened {item.id})"),
        )
        yield from (fact for holds, fact in told if holds)
    for thing in problem.things:
        if thing.kind:
            yield f"(objecttype {thing.id} {thing.kind}type)"
        yield from (f"(inreceptacle {thing.id} {place})" for place in thing.inside)
        yield from (f"(objectatlocation {thing.id} {spot})" for spot in thing.spots)
        yield from (f"({predicate} {thing.id})" for predicate in (*thing.traits, *thing.marks))
        yield from (f"(inreceptacleobject {inner} {thing.id})" for inner in thing.contents)


def _alfworld_data() -> Path:
    """The data folder of the installed alfworld, which is not imported: that would make folders in the home."""
    spec = importlib.util.find_spec("alfworld")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "writing ALFWorld's own files needs its domain and grammar: pip install 'alfworld==0.4.2' "
            "(it compiles a planner, so that cmake and a C++ compiler have to be there)"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", help="folder to write below; $ALFWORLD_DATA for whatever reads the games")
    parser.add_argument("--split", choices=SPLITS, default="train")
    parser.add_argument("--task", choices=TASKS, help="one task; all six in turn otherwise")
    parser.add_argument("--games", type=int, default=60)
    chosen = parser.parse_args(arguments)
    folders = export_games(chosen.out, split=chosen.split, task=chosen.task, games=chosen.games)
    print(f"{len(folders)} games below {Path(chosen.out) / FOLDER / chosen.split}")


if __name__ == "__main__":
    main()
