"""Games by number: the same split, task and number are always the same game, solvable and checked by play."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

import numpy as np

from turnwise.envs.alfworld.engine import Engine
from turnwise.envs.alfworld.goals import LIGHT, TASKS, TREATMENTS, TWO, Aim, write_goal
from turnwise.envs.alfworld.house import FURNITURE, LAMP, ROOMS, THINGS, ThingKind
from turnwise.envs.alfworld.layouts import LAYOUTS, SPLITS, Layout, layout, object_id
from turnwise.envs.alfworld.plan import plan
from turnwise.envs.alfworld.problem import Problem, Receptacle, Thing
from turnwise.envs.alfworld.world import World

SENTENCES = {
    "pick_and_place_simple": ("put a {kind} in {destination}", "put some {kind} on {destination}"),
    "look_at_obj_in_light": ("look at {kind} under the {lamp}", "examine the {kind} with the {lamp}"),
    "pick_clean_then_place_in_recep": (
        "put a clean {kind} in {destination}",
        "clean some {kind} and put it in {destination}",
    ),
    "pick_heat_then_place_in_recep": (
        "put a hot {kind} in {destination}",
        "heat some {kind} and put it in {destination}",
    ),
    "pick_cool_then_place_in_recep": (
        "put a cool {kind} in {destination}",
        "cool some {kind} and put it in {destination}",
    ),
    "pick_two_obj_and_place": ("put two {kind} in {destination}", "find two {kind} and put them in {destination}"),
}
"""Task -> how it is told; ALFWorld's wordings."""

_STREAM = 0xA1F_3A  # keeps the draws of games apart from those of layouts
_MOST_ATTEMPTS = 100
_MOST_COPIES = 3  # things of the kind that is asked for
_OTHERS = (8, 18)  # fewest and most things of other kinds

Item = TypeVar("Item")


@lru_cache(maxsize=256)
def generated_world(split: str, task: str, number: int) -> World:
    """The game of this number, ready to be played. number: from 0 on, without an end.

    Raises ValueError on a split or task that there is not.
    """
    if split not in SPLITS or task not in TASKS or number < 0:
        raise ValueError(
            f"a game has a split out of {', '.join(SPLITS)}, a task out of {', '.join(TASKS)} and a number from 0: "
            f"got {split!r}, {task!r} and {number}"
        )
    for attempt in range(_MOST_ATTEMPTS):
        rng = np.random.default_rng((_STREAM, SPLITS.index(split), TASKS.index(task), number, attempt))
        problem = _draw(f"{split}/{task}/{number}", split, task, rng)
        world = _planned(problem) if problem else None
        if world and _checked(world):
            return world
    raise RuntimeError(f"no solvable game was found for {split}/{task}/{number} in {_MOST_ATTEMPTS} attempts")


def _planned(problem: Problem) -> World | None:
    """The world of the problem, a plan included; None if there is no plan."""
    world = World(problem)
    commands = plan(world, world.start)
    if not commands:
        return None
    world.problem = replace(problem, walkthrough=commands)  # nothing else of a world goes by the plan
    return world


def _checked(world: World) -> bool:
    """Whether the game is not won at once, and its plan wins it in the engine."""
    engine = Engine(world)
    if engine.won:
        return False
    for command in world.problem.walkthrough:
        if engine.won or command not in engine.actions:
            return False
        engine.step(command)
    return engine.won


def _draw(name: str, split: str, task: str, rng: np.random.Generator) -> Problem | None:
    """A random game without a plan, or None where the layout has no place for the task."""
    home = layout(_pick(_rooms(task), rng), _pick(LAYOUTS[split], rng))
    options = _options(task, home)
    if not options:
        return None
    kind, destinations = _pick(options, rng)
    aim = Aim(task, kind.name.lower(), _pick(destinations, rng), LAMP.lower() if task == LIGHT else "")
    things = _things(kind, aim, home, rng)
    if len({thing.id for thing in things}) < len(things):
        return None
    kinds = sorted({thing.kind for thing in things})
    furniture = sorted({receptacle.kind for receptacle in home.receptacles})
    hosts = {kind.name.lower(): kind.hosts for kind in THINGS.values()}
    return Problem(
        name=name,
        sentence=_pick(SENTENCES[task], rng).format(kind=aim.kind, destination=aim.destination, lamp=aim.lamp) + ".",
        start=home.start,
        receptacles=home.receptacles,
        things=things,
        can_contain=tuple((place, kind) for place in furniture for kind in kinds if place in hosts[kind]),
        goal=write_goal(aim),
    )


def _rooms(task: str) -> list[str]:
    """The rooms that a task may be set in."""
    if task == LIGHT:
        return [room for room in ROOMS if room in THINGS[LAMP].rooms]
    if task not in TREATMENTS:
        return list(ROOMS)
    return [room for room in ROOMS if any(kind.lower() == TREATMENTS[task].station for kind in FURNITURE[room])]


def _options(task: str, home: Layout) -> list[tuple[ThingKind, list[str]]]:
    """(kind of thing, kinds of receptacles it may have to go to) of all that the task can be about in this room."""
    present = {receptacle.kind for receptacle in home.receptacles}
    treatment = TREATMENTS.get(task)
    trait, station = (treatment.trait, treatment.station) if treatment else ("pickupable", "")
    options = []
    for kind in THINGS.values():
        hosts = sorted(kind.hosts & present)
        if home.room not in kind.rooms or trait not in kind.traits or kind.name == LAMP or not hosts:
            continue
        if task == LIGHT:
            options.append((kind, [""]))
        elif len(hosts) > 1 and hosts != [station]:
            options.append((kind, [host for host in hosts if host != station]))
    return options


def _things(kind: ThingKind, aim: Aim, home: Layout, rng: np.random.Generator) -> tuple[Thing, ...]:
    """The things in the room: what is asked for, away from where it has to go, a lamp if needed, and others."""
    away = [place for place in home.receptacles if place.kind in kind.hosts and place.kind != aim.destination]
    copies = int(rng.integers(2 if aim.task == TWO else 1, _MOST_COPIES + 1))
    placed = [_thing(kind, _pick(away, rng), rng) for _ in range(copies)]
    hosts = {
        other.name: [place for place in home.receptacles if place.kind in other.hosts] for other in THINGS.values()
    }
    if aim.task == LIGHT:
        placed.append(_thing(THINGS[LAMP], _pick(hosts[LAMP], rng), rng))
    others = [
        other for other in THINGS.values() if other is not kind and home.room in other.rooms and hosts[other.name]
    ]
    for _ in range(int(rng.integers(_OTHERS[0], _OTHERS[1] + 1))):
        other = _pick(others, rng)
        placed.append(_thing(other, _pick(hosts[other.name], rng), rng))
    return tuple(placed)


def _thing(kind: ThingKind, place: Receptacle, rng: np.random.Generator) -> Thing:
    spots = () if place.spot is None else (place.spot,)
    return Thing(
        id=object_id(kind.name, rng), kind=kind.name.lower(), inside=(place.id,), spots=spots, traits=kind.traits
    )


def _pick(items: Sequence[Item], rng: np.random.Generator) -> Item:
    return items[int(rng.integers(len(items)))]
