"""Our engine beside TextWorld's own, command by command: the same texts, admissible commands and endings.

These tests need alfworld, which compiles a planner (cmake, a C++ compiler, minutes): use a venv of its own.

    python -m venv alf && alf/bin/pip install alfworld==0.4.2 pytest hypothesis && alf/bin/pip install -e .
    alf/bin/python -m pytest -m slow tests/envs/alfworld/test_alfworld_against_textworld.py -s
"""

from __future__ import annotations

import importlib.util
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from turnwise.envs.alfworld.engine import Engine
from turnwise.envs.alfworld.export import export_games, stock_game
from turnwise.envs.alfworld.generate import generated_world
from turnwise.envs.alfworld.goals import TASKS
from turnwise.envs.alfworld.official import official_files, read_game
from turnwise.envs.alfworld.plan import plan
from turnwise.envs.alfworld.problem import Problem, Receptacle, Thing
from turnwise.envs.alfworld.world import World

pytestmark = pytest.mark.slow

GAMES_PER_TASK = 3
VARIANTS = 30
STEPS = 60  # random commands a game, before the expert's
HANDLING = ("take", "move", "open", "close", "heat", "cool", "clean", "use", "slice", "examine")
VERBS = ("look", "inventory", "help", "go", "study", *HANDLING)
NONSENSE = ("eat the floor", "", "go to narnia 1", "take nothing from nowhere", "LOOK", " look ", "go  to desk 1")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """alfworld makes a folder wherever this variable points as soon as it is imported."""
    if importlib.util.find_spec("alfworld") is None:
        pytest.fail(f"alfworld is not installed, and this test compares with it.\n{__doc__}", pytrace=False)
    if "ALFWORLD_DATA" not in os.environ:
        monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))


def stock_engine(data: object) -> Any:
    """TextWorld's engine with ALFWorld's names, loaded with a game file or its contents."""
    import textworld
    from alfworld.agents.environment.alfred_tw_env import AlfredDemangler
    from textworld.envs import PddlEnv

    engine = AlfredDemangler(PddlEnv(textworld.EnvInfos(admissible_commands=True, won=True)))
    engine.load(data)
    return engine


def compared(stock: Any, ours: Engine, rng: random.Random, steps: int = STEPS) -> Counter[str]:
    """Play both alike: random commands, then the expert's. What was compared: verb -> times. Fails on a difference."""
    verbs: Counter[str] = Counter()
    assert difference(stock.reset(), ours.reset(), ours, "(start)") == []
    for command in commands_for(ours, rng, steps):
        if ours.won:
            break
        known = ours.actions.get(command.strip())
        verbs[known.verb if known else "nonsense"] += 1
        told, _, _ = stock.step(command)
        assert difference(told, ours.step(command), ours, command) == []
    return verbs


def commands_for(ours: Engine, rng: random.Random, steps: int) -> Iterator[str]:
    """Two thirds handle things where they can, each verb as likely; some are nonsense; at last the expert's plan."""
    for _ in range(steps):
        by_verb: dict[str, list[str]] = {}
        for command in ours.commands:
            by_verb.setdefault(command.split()[0], []).append(command)
        handling = [verb for verb in by_verb if verb in HANDLING]
        chance = rng.random()
        if chance < 0.05:
            yield rng.choice(NONSENSE)
        else:
            yield rng.choice(by_verb[rng.choice(handling)] if chance < 0.7 and handling else ours.commands)
    yield from plan(ours.world, ours.state) or ()


def difference(told: Any, text: str, ours: Engine, command: str) -> list[str]:
    """What the two say differently after a command."""
    pairs = {
        "text": (told.feedback, text),
        "commands": (list(told["admissible_commands"]), ours.commands),
        "won": (bool(told["won"]), ours.won),
    }
    name = ours.world.problem.name
    return [f"{name} {command!r} {key}: {a!r} / {b!r}" for key, (a, b) in pairs.items() if a != b]


def test_the_engines_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """Generated games of all tasks and odd ones: texts, commands and endings differ in nothing."""
    verbs: Counter[str] = Counter()
    for task in TASKS:
        for number in range(GAMES_PER_TASK):
            world = generated_world("train", task, number)
            verbs += compared(stock_engine(stock_game(world.problem)), Engine(world), random.Random(number))
        report(capsys, f"up to {task}: {verbs.total()} steps")
    for number in range(VARIANTS):
        problem, stock = odd_game(number)
        verbs += compared(stock, Engine(World(problem)), random.Random(number))
        if (number + 1) % 10 == 0:
            report(capsys, f"{number + 1} odd games too: {verbs.total()} steps, {dict(verbs.most_common())}")
    assert verbs.total() >= 2000
    assert set(verbs) == {*VERBS, "nonsense"}


@pytest.mark.parametrize("task", TASKS)
def test_the_experts_plans_win_in_the_stock_engine(task: str) -> None:
    for number in range(100, 103):
        problem = generated_world("valid_unseen", task, number).problem
        stock = stock_engine(stock_game(problem))
        stock.reset()
        wins = [stock.step(command)[0]["won"] for command in problem.walkthrough]
        assert wins == [False] * (len(wins) - 1) + [True]


def test_a_folder_that_alfworld_itself_collects(tmp_path: Path) -> None:
    """ALFWorld's own environment finds the games that we export, and our loader reads them back as they were."""
    from alfworld.agents.environment.alfred_tw_env import AlfredTWEnv

    export_games(tmp_path, split="train", games=12)
    config = {
        "env": {"goal_desc_human_anns_prob": 0, "task_types": [1, 2, 3, 4, 5, 6]},
        "dataset": {"data_path": str(tmp_path / "json_2.1.1" / "train"), "num_train_games": -1},
    }
    assert sorted(AlfredTWEnv(config).game_files) == sorted(official_files(str(tmp_path), "train", None))
    for path in official_files(str(tmp_path), "train", None):
        problem = read_game(path)
        assert problem is not None
        assert compared(stock_engine(path), Engine(World(problem)), random.Random(0), steps=5).total() >= 3


def test_official_games(capsys: pytest.CaptureFixture[str]) -> None:
    """The official data, where $ALFWORLD_DATA holds it; else games that we export in its form."""
    root = os.environ["ALFWORLD_DATA"]
    if not Path(root, "json_2.1.1").is_dir():
        export_games(root, split="valid_seen", games=6)
    splits = [split for split in ("train", "valid_seen", "valid_unseen") if Path(root, "json_2.1.1", split).is_dir()]
    games = total = 0
    for split in splits:
        files = official_files(root, split, None)
        for path in files[:: max(1, len(files) // 20)]:
            problem = read_game(path)
            if problem is not None:
                games += 1
                total += compared(stock_engine(path), Engine(World(problem)), random.Random(path)).total()
    report(capsys, f"official form, {root}: {games} games, {total} steps")
    assert games


def report(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with capsys.disabled():
        print(f"  {line}, 0 differences")


def odd_game(number: int) -> tuple[Problem, Any]:
    """A variant and the stock engine that plays it: the first that is not won at once and that it can load.

    Where its planner sees that a goal is out of reach, it drops the goal and the engine stumbles over what is left.
    """
    for attempt in range(100):
        problem = variant(number, attempt)
        if not Engine(World(problem)).won:
            with suppress(KeyError):
                return problem, stock_engine(stock_game(problem))
    raise AssertionError(f"no variant of number {number} can be played")


def variant(number: int, attempt: int) -> Problem:
    """A generated game made odd in ways that ALFRED's domain allows."""
    rng = random.Random(f"{number} {attempt}")
    problem = generated_world("train", rng.choice(TASKS), number).problem
    problem = replace(problem, name=f"variant {number} {attempt} of {problem.name}", walkthrough=())
    for change in (share_spots, open_doors, cut_off, mark_things, nest_things, drop_things, arm, fill_hand, stand):
        if change is arm or rng.random() < 0.6:
            problem = change(problem, rng)
    return odd_goal(problem, rng) if rng.random() < 0.5 else problem


def share_spots(problem: Problem, rng: random.Random) -> Problem:
    """A quarter of the receptacles move to the spot of another one; their things go along, most of the time."""
    spots = sorted({item.spot for item in problem.receptacles if item.spot})
    to = {spot: rng.choice(spots) for spot in spots if rng.random() < 0.4}
    places = tuple(replace(item, spot=to.get(item.spot or "", item.spot)) for item in problem.receptacles)
    things = tuple(
        replace(thing, spots=tuple(to.get(spot, spot) for spot in thing.spots)) if rng.random() < 0.8 else thing
        for thing in problem.things
    )
    return replace(problem, receptacles=places, things=things)


def open_doors(problem: Problem, rng: random.Random) -> Problem:
    places = tuple(replace(item, opened=item.openable and rng.random() < 0.4) for item in problem.receptacles)
    return replace(problem, receptacles=places)


def cut_off(problem: Problem, rng: random.Random) -> Problem:
    """One receptacle cannot be reached."""
    out = rng.choice(problem.receptacles).id
    places = tuple(replace(item, spot=None) if item.id == out else item for item in problem.receptacles)
    return replace(problem, receptacles=places)


def mark_things(problem: Problem, rng: random.Random) -> Problem:
    """Things are hot, cold, clean, cut or lit from the start, and a lamp can be carried."""
    marks = {"cleanable": "isclean", "sliceable": "issliced", "toggleable": "istoggled"}

    def marked(thing: Thing) -> Thing:
        found = {mark for trait, mark in marks.items() if trait in thing.traits and rng.random() < 0.4}
        if "coolable" in thing.traits and rng.random() < 0.5:
            found.add(rng.choice(("ishot", "iscool")))
        traits = thing.traits if "pickupable" in thing.traits else ("pickupable", *thing.traits)
        return replace(thing, marks=tuple(sorted(found)), traits=traits if rng.random() < 0.8 else thing.traits)

    return replace(problem, things=tuple(map(marked, problem.things)))


def nest_things(problem: Problem, rng: random.Random) -> Problem:
    """Things lie in bowls, and one thing is in two receptacles at once."""
    outer, twice = rng.choice(problem.things), rng.choice(problem.things)
    inner = tuple(sorted({thing.id for thing in rng.sample(problem.things, 2)} - {outer.id}))
    traits = (*outer.traits, "isreceptacleobject") if "isreceptacleobject" not in outer.traits else outer.traits
    changed = {outer.id: replace(outer, contents=inner, traits=traits)}
    if twice.id != outer.id:
        changed[twice.id] = replace(twice, inside=tuple(sorted({*twice.inside, rng.choice(problem.receptacles).id})))
    return replace(problem, things=tuple(changed.get(thing.id, thing) for thing in problem.things))


def drop_things(problem: Problem, rng: random.Random) -> Problem:
    """Some things lie on the floor beside a receptacle."""
    things = tuple(replace(thing, inside=()) if rng.random() < 0.15 else thing for thing in problem.things)
    return replace(problem, things=things)


def arm(problem: Problem, rng: random.Random) -> Problem:
    """A knife of either kind, and things with plain ids or none of the numbers of a place."""
    host = rng.choice([item for item in problem.receptacles if item.spot])
    kind = rng.choice(("knife", "butterknife"))
    extra = [kitchen_thing(f"{kind}_bar_x", kind, host, "pickupable", "cleanable")]
    extra += [kitchen_thing(f"apple_bar_{n}", "apple", host, "pickupable", "sliceable", "heatable") for n in (1, 2)]
    if rng.random() < 0.3:
        extra.append(kitchen_thing("spatula", "spatula", host, "pickupable"))
    allowed = {*problem.can_contain, *((host.kind, thing.kind) for thing in extra)}
    return replace(problem, things=(*problem.things, *extra), can_contain=tuple(sorted(allowed)))


def kitchen_thing(id: str, kind: str, host: Receptacle, *traits: str) -> Thing:
    return Thing(id=id, kind=kind, inside=(host.id,), spots=(host.spot or "",), traits=traits)


def fill_hand(problem: Problem, rng: random.Random) -> Problem:
    """The agent holds something at first."""
    held = rng.choice(problem.things)
    things = tuple(replace(thing, inside=(), spots=()) if thing is held else thing for thing in problem.things)
    return replace(problem, held=held.id, things=things)


def stand(problem: Problem, rng: random.Random) -> Problem:
    """The agent starts at a receptacle."""
    return replace(problem, start=rng.choice([item.spot for item in problem.receptacles if item.spot]))


def odd_goal(problem: Problem, rng: random.Random) -> Problem:
    """A goal outside the six tasks, of operators that they do not use."""
    kind = rng.choice(problem.things).kind
    shut = ("forall", (("?r", "receptacle"),), ("imply", ("openable", "?r"), ("not", ("opened", "?r"))))
    cut = ("exists", (("?o", "object"),), ("and", ("objecttype", "?o", "appletype"), ("issliced", "?o")))
    held = (
        "exists",
        (("?o", "object"), ("?a", "agent")),
        ("and", ("holds", "?a", "?o"), ("objecttype", "?o", f"{kind}type")),
    )
    return replace(problem, goal=("and", rng.choice([("or", cut, held), cut, ("and", cut, held), ("or", shut, cut)])))
