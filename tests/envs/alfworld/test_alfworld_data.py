"""Generated games, the stock file format, and what happens to files that are not as they should be."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnwise.envs.alfworld.engine import Engine
from turnwise.envs.alfworld.export import export_game, export_games, stock_game, write_problem
from turnwise.envs.alfworld.generate import generated_world
from turnwise.envs.alfworld.goals import CLEAN, COOL, HEAT, LIGHT, TASKS, TREATMENTS, TWO, read_aim
from turnwise.envs.alfworld.house import FURNITURE, LAMP, THINGS, WRITTEN
from turnwise.envs.alfworld.layouts import SEEN, SPLITS, UNSEEN, layout
from turnwise.envs.alfworld.official import NoOfficialData, official_files, official_world, read_game
from turnwise.envs.alfworld.pddl import read_problem
from turnwise.envs.alfworld.plan import plan
from turnwise.envs.alfworld.problem import Problem, ProblemError
from turnwise.envs.alfworld.world import World

NUMBERS = 30  # games of each task and split


@cache
def problem_of(split: str, task: str, number: int) -> Problem:
    return generated_world(split, task, number).problem


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("task", TASKS)
def test_hundreds_of_games_can_be_won_by_their_plans(split: str, task: str) -> None:
    for number in range(NUMBERS):
        world = generated_world(split, task, number)
        engine, problem = Engine(world), world.problem
        aim = read_aim(problem.goal)
        assert aim is not None and aim.task == task and not engine.won
        assert 3 <= len(problem.walkthrough) <= 12
        for command in problem.walkthrough:
            assert command in engine.commands and not engine.won
            engine.step(command)
        assert engine.won


def test_every_game_is_another_one() -> None:
    problems = [problem_of(split, task, number) for split in SPLITS for task in TASKS for number in range(NUMBERS)]
    assert len({replace(problem, name="") for problem in problems}) == len(problems) == 540
    assert len({problem.name for problem in problems}) == 540


def test_unseen_rooms_are_not_those_of_train() -> None:
    rooms = {
        split: {problem_of(split, task, number).receptacles for task in TASKS for number in range(NUMBERS)}
        for split in SPLITS
    }
    kept, unseen = ({layout(room, n).receptacles for room in FURNITURE for n in numbers} for numbers in (SEEN, UNSEEN))
    assert len(kept) == 96 and len(unseen) == 24 and not kept & unseen
    assert rooms["train"] | rooms["valid_seen"] <= kept and rooms["valid_unseen"] <= unseen
    assert len(rooms["train"]) >= 50 and len(rooms["valid_seen"] & rooms["train"]) >= 40
    assert len(rooms["valid_unseen"]) >= 20


def test_tasks_are_about_many_things_and_fit_their_rooms() -> None:
    kinds: Counter[str] = Counter()
    for task in TASKS:
        for number in range(NUMBERS):
            problem = problem_of("train", task, number)
            aim = read_aim(problem.goal)
            assert aim is not None
            kinds[aim.kind] += 1
            asked = [thing for thing in problem.things if thing.kind == aim.kind]
            assert len(asked) >= (2 if task == TWO else 1)
            assert aim.kind in problem.sentence and (aim.destination or "desklamp") in problem.sentence
            if task in TREATMENTS:
                assert all(TREATMENTS[task].trait in thing.traits for thing in asked)
                assert aim.destination != TREATMENTS[task].station
            if task == LIGHT:
                assert aim.lamp == "desklamp" and any(thing.kind == "desklamp" for thing in problem.things)
    assert len(kinds) >= 30


def test_everything_lies_where_it_may_and_can_be_reached() -> None:
    for task in TASKS:
        problem = problem_of("valid_seen", task, 3)
        places = {item.id: item for item in problem.receptacles}
        for thing in problem.things:
            (host,) = thing.inside
            assert (places[host].kind, thing.kind) in problem.can_contain
            assert places[host].kind in THINGS[WRITTEN[thing.kind]].hosts
            assert thing.spots == (places[host].spot,)
            assert ("pickupable" in thing.traits) == (thing.kind != LAMP.lower())


def test_the_tables_know_only_furniture_that_stands_somewhere() -> None:
    stands = {kind.lower() for room in FURNITURE.values() for kind in room}
    for kind in THINGS.values():
        assert kind.hosts <= stands, kind
        assert all(kind.hosts & {place.lower() for place in FURNITURE[room]} for room in kind.rooms), kind
    assert {name for name, kind in THINGS.items() if "heatable" in kind.traits} == {
        *("Apple", "Bread", "Cup", "Egg", "Mug", "Plate", "Potato", "Tomato")
    }


def test_the_first_game_of_a_task_is_pinned() -> None:
    """Games keep their numbers: a change here changes every reported result."""
    problem = problem_of("train", HEAT, 0)
    assert (problem.sentence, problem.walkthrough) == PINNED


PINNED = (
    "heat some tomato and put it in garbagecan.",
    (
        "go to countertop 1",
        "take tomato 1 from countertop 1",
        "go to microwave 1",
        "heat tomato 1 with microwave 1",
        "go to garbagecan 1",
        "move tomato 1 to garbagecan 1",
    ),
)


def test_games_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "from turnwise.envs.alfworld.generate import generated_world as w\n"
        "from turnwise.envs.alfworld.goals import TASKS\n"
        "from turnwise.envs.alfworld.engine import Engine\n"
        "import zlib\n"
        "text = ''\n"
        "for task in TASKS:\n"
        "    world = w('train', task, 5); engine = Engine(world); text += repr(world.problem)\n"
        "    for command in world.problem.walkthrough:\n"
        "        text += engine.step(command) + repr(engine.commands)\n"
        "print(zlib.crc32(text.encode()))"
    )
    told = [
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True)
        for seed in ("1", "2")
    ]
    assert told[0].stdout == told[1].stdout != b"", told[0].stderr


@pytest.mark.parametrize("call", [("test", HEAT, 0), ("train", "juggle", 0), ("train", HEAT, -1)])
def test_games_that_there_are_not(call: tuple[str, str, int]) -> None:
    with pytest.raises(ValueError, match="a game has a split out of train, valid_seen, valid_unseen"):
        generated_world(*call)


@pytest.mark.parametrize("task", TASKS)
def test_plans_from_anywhere_win(task: str) -> None:
    rng = np.random.default_rng(7)
    for number in range(8):
        engine = Engine(generated_world("train", task, number))
        for _ in range(25):
            if not engine.won:
                engine.step(engine.commands[int(rng.integers(len(engine.commands)))])
        twin = engine.copy()
        commands = plan(twin.world, twin.state)
        assert commands is not None
        for command in commands:
            assert command in twin.actions and not twin.won
            twin.step(command)
        assert twin.won


# The stock file format


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that looks like alfworld as far as the export goes."""
    data = tmp_path / "package" / "alfworld" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("raise RuntimeError('the export imports alfworld')")
    (data / "alfred.pddl").write_text("(define (domain alfred))")
    (data / "alfred.twl2").write_text('"rhs": "Your task is to: UNKNOWN GOAL."')
    monkeypatch.syspath_prepend(str(tmp_path / "package"))
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, "alfworld", raising=False)
    return tmp_path / "out"


@pytest.mark.parametrize("task", TASKS)
def test_pddl_reads_back_as_the_problem(task: str) -> None:
    problem = problem_of("train", task, 1)
    again = read_problem(
        write_problem(problem), name=problem.name, sentence=problem.sentence, walkthrough=problem.walkthrough
    )
    assert ordered(again) == ordered(problem)
    assert Engine(World(again)).feedback == Engine(World(problem)).feedback


def ordered(problem: Problem) -> Problem:
    """The problem with its receptacles and things in the order of their ids, and traits that a set would hold."""
    things = [replace(thing, traits=tuple(sorted(thing.traits))) for thing in problem.things]
    return replace(
        problem,
        receptacles=tuple(sorted(problem.receptacles, key=lambda item: item.id)),
        things=tuple(sorted(things, key=lambda thing: thing.id)),
        can_contain=tuple(sorted(problem.can_contain)),
    )


def test_exported_folders_read_back(stand_in: Path) -> None:
    folders = export_games(stand_in, split="valid_seen", games=12)
    assert len(set(folders)) == 12 and all(
        folder.is_relative_to(stand_in / "json_2.1.1" / "valid_seen") for folder in folders
    )
    assert folders[0].parent.name.startswith("pick_and_place_simple-") and folders[0].name == "trial_000000"
    files = official_files(str(stand_in), "valid_seen", None)
    assert len(files) == 12
    assert {Path(file).parent for file in files} == set(folders)
    for number, folder in enumerate(folders):
        problem = problem_of("valid_seen", TASKS[number % 6], number // 6)
        read = read_game(folder / "game.tw-pddl")
        assert read is not None and ordered(replace(read, name=problem.name)) == ordered(problem)
        story = json.loads((folder / "traj_data.json").read_text())
        assert story["task_type"] == TASKS[number % 6]
        assert story["pddl_params"]["object_target"].lower() == read_aim_of(problem).kind
        assert story["turk_annotations"]["anns"][0]["task_desc"] == problem.sentence


def read_aim_of(problem: Problem) -> Any:
    aim = read_aim(problem.goal)
    assert aim is not None
    return aim


def test_official_games_are_drawn_by_task_and_number(stand_in: Path) -> None:
    export_games(stand_in, split="train", games=12)
    rng = np.random.default_rng(0)
    drawn = {official_world(str(stand_in), "train", None, None, rng).problem.name for _ in range(200)}
    assert len(drawn) == 12
    cool = {official_world(str(stand_in), "train", COOL, None, rng).problem.name for _ in range(50)}
    assert len(cool) == 2 and all(name.startswith(f"train/{COOL}-") for name in cool)
    assert len({official_world(str(stand_in), "train", None, 1, rng).problem.name for _ in range(20)}) == 1


def test_games_that_are_not_solvable_or_not_ours_are_left_out(stand_in: Path) -> None:
    first, second = export_games(stand_in, task=CLEAN, games=2)
    mark(second, solvable=False)
    export_game(problem_of("train", HEAT, 0), stand_in / "json_2.1.1/train", trial="trial_Sliced")
    rng = np.random.default_rng(0)
    names = {official_world(str(stand_in), "train", None, None, rng).problem.name for _ in range(30)}
    assert names == {"/".join(("train", *first.parts[-2:]))}


def test_data_without_a_solvable_game_says_so(stand_in: Path) -> None:
    for folder in export_games(stand_in, task=CLEAN, games=2):
        mark(folder, solvable=None)
    with pytest.raises(NoOfficialData, match=r"none of the 2 games of train .* is marked as solvable"):
        official_world(str(stand_in), "train", None, None, np.random.default_rng(0))


def mark(folder: Path, **changes: Any) -> None:
    file = folder / "game.tw-pddl"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_missing_data_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALFWORLD_DATA", raising=False)
    rng = np.random.default_rng(0)
    with pytest.raises(NoOfficialData, match=r"give root, or set \$ALFWORLD_DATA"):
        official_world(None, "train", None, None, rng)
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))
    with pytest.raises(NoOfficialData, match="run alfworld-download"):
        official_world(None, "train", None, None, rng)


def test_export_without_alfworld_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'alfworld==0\.4\.2'"):
        stock_game(problem_of("train", HEAT, 0))


def test_the_sentence_survives_quotes(stand_in: Path) -> None:
    problem = replace(problem_of("train", HEAT, 0), sentence='heat "the" mug \\ now.')
    folder = export_game(problem, stand_in, trial="trial_1")
    read = read_game(folder / "game.tw-pddl")
    assert read is not None and read.sentence == 'heat "the" mug \\ now.'


HEAD = "(define (problem p) (:domain alfred) (:objects a - agent o - object r - receptacle l - location)"
INIT = "(:init (= (total-cost) 0) (atLocation a l) (receptacleAtLocation r l) (inReceptacle o r))"
GOAL = "(:goal (exists (?o - object ?r - receptacle) (inReceptacle ?o ?r)))"


def test_a_tiny_problem_by_hand() -> None:
    problem = read_problem(f"; notes\n{HEAD}{INIT}{GOAL})", name="tiny", sentence="do it.")
    assert problem.start == "l" and problem.held is None
    assert [(item.id, item.kind, item.spot) for item in problem.receptacles] == [("r", "", "l")]
    assert [(thing.id, thing.inside, thing.traits) for thing in problem.things] == [("o", ("r",), ())]
    assert problem.goal == ("exists", (("?o", "object"), ("?r", "receptacle")), ("inreceptacle", "?o", "?r"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "one expression in brackets"),
        ("(a))", "closes only brackets that are open"),
        ("((a)", "one expression in brackets"),
        ("(" * 100, "50 deep at most"),
        (f"{HEAD})", "tiny lacks :init"),
        (f"{HEAD}{INIT})", "tiny lacks :goal"),
        (f"{HEAD}(:init (atLocation a l) (atLocation a m)){GOAL})", "does so 2 times"),
        (f"{HEAD}(:init (atLocation a)){GOAL})", "atlocation is said of 2: got 'a'"),
        (f"{HEAD}(:init atLocation){GOAL})", "a fact is a predicate and names"),
        (f"{HEAD}(:init (atLocation a l) (holds a o)){GOAL})", "holds one thing"),
        (
            f"{HEAD}(:init (atLocation a l) (receptacleAtLocation r l) (receptacleAtLocation r m)){GOAL})",
            "told more often",
        ),
        (f"{HEAD}{INIT}(:goal (exists ?o (isClean ?o))))", "exists takes variables and one formula"),
        (f"{HEAD}{INIT}(:goal (isClean (o))))", "a predicate takes names"),
        (f"{HEAD}{INIT}(:goal ()))", "a goal is an operator or predicate"),
        (f"{HEAD}{INIT}(:goal __import__))", "a goal is an operator or predicate"),
    ],
)
def test_texts_that_are_no_problem(text: str, said: str) -> None:
    with pytest.raises(ProblemError, match=said.replace("(", r"\(")):
        read_problem(text, name="tiny", sentence="do it.")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"grammar": "put {o} in/on {r} Your task is to: x."}, "before 0.4"),
        ({"grammar": "no task"}, "tells its task"),
        ({"pddl_problem": "(("}, "all of them closed"),
    ],
)
def test_files_that_cannot_be_read(stand_in: Path, changes: dict[str, str], said: str) -> None:
    (folder,) = export_games(stand_in, games=1)
    mark(folder, **changes)
    with pytest.raises(ProblemError, match=said):
        read_game(folder / "game.tw-pddl")


@pytest.mark.parametrize("text", ["not json", "[]", '{"solvable": true}'])
def test_files_that_are_no_games(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a" / "b" / "c" / "game.tw-pddl"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ProblemError, match="a game file is JSON with pddl_problem and grammar"):
        read_game(path)
