"""Goals: what each task asks for as a formula, and what a formula asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from turnwise.envs.alfworld.problem import Formula

SIMPLE = "pick_and_place_simple"
LIGHT = "look_at_obj_in_light"
CLEAN = "pick_clean_then_place_in_recep"
HEAT = "pick_heat_then_place_in_recep"
COOL = "pick_cool_then_place_in_recep"
TWO = "pick_two_obj_and_place"

TASKS = (SIMPLE, LIGHT, CLEAN, HEAT, COOL, TWO)
"""ALFWorld's task types, in its own order."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a thing gets the mark that a task asks for."""

    trait: str
    mark: str
    verb: str
    station: str
    """Kind of the receptacle that does it."""


TREATMENTS = {
    CLEAN: Treatment("cleanable", "isclean", "clean", "sinkbasin"),
    HEAT: Treatment("heatable", "ishot", "heat", "microwave"),
    COOL: Treatment("coolable", "iscool", "cool", "fridge"),
}


@dataclass(frozen=True, slots=True)
class Aim:
    """What a goal asks for. Kinds are lower case."""

    task: str
    kind: str
    """Of the thing to bring or to look at."""
    destination: str = ""
    """Kind of receptacle; empty for the lamp task."""
    lamp: str = ""
    """Kind of lamp; empty for all other tasks."""


def write_goal(aim: Aim) -> Formula:
    """The goal of an aim, in the form of ALFRED's own goals."""
    if aim.task == LIGHT:
        return ("and", _lit(aim.lamp), _in_hand(aim.kind))
    placed: Formula = ("and", *_placed("?o", aim))
    if aim.task in TREATMENTS:
        treatment = TREATMENTS[aim.task]
        placed = (*placed, (treatment.trait, "?o"), (treatment.mark, "?o"))
    if aim.task == TWO:
        second = ("and", ("not", ("=", "?o", "?o2")), *_placed("?o2", aim))
        placed = (*placed, ("exists", (("?o2", "object"),), second))
    return ("and", ("exists", (("?r", "receptacle"),), ("exists", (("?o", "object"),), placed)))


def read_aim(goal: Formula) -> Aim | None:
    """The aim of a goal of the six tasks, however it is written; None where it is none of them."""
    if not _plain(goal):
        return None
    found = list(_atoms(goal))
    predicates = {atom[0] for atom in found}
    things = {atom[1]: atom[2] for atom in found if atom[0] == "objecttype"}
    destinations = {atom[2] for atom in found if atom[0] == "receptacletype"}
    lamps = {things.get(atom[1], "") for atom in found if atom[0] == "istoggled"}
    wanted = {kind.removesuffix("type") for kind in things.values() if kind not in lamps}
    if len(wanted) != 1 or predicates & {"inreceptacleobject", "issliced"}:
        return None
    kind = wanted.pop()
    if len(lamps) == 1 and not destinations:
        return Aim(LIGHT, kind, lamp=lamps.pop().removesuffix("type"))
    if len(destinations) != 1 or lamps:
        return None
    treated = [task for task, treatment in TREATMENTS.items() if treatment.mark in predicates]
    task = treated[0] if treated else TWO if len(things) == 2 else SIMPLE
    known = len(treated) <= 1 and len(things) <= (1 if treated else 2)
    return Aim(task, kind, destinations.pop().removesuffix("type")) if known else None


def _placed(thing: str, aim: Aim) -> tuple[Formula, ...]:
    return (
        ("objecttype", thing, f"{aim.kind}type"),
        ("receptacletype", "?r", f"{aim.destination}type"),
        ("inreceptacle", thing, "?r"),
    )


def _lit(lamp: str) -> Formula:
    """A lit lamp of this kind is where the agent stands."""
    variables = (("?ot", "object"), ("?r", "receptacle"), ("?a", "agent"), ("?l", "location"))
    lit = (("objecttype", "?ot", f"{lamp}type"), ("toggleable", "?ot"), ("istoggled", "?ot"))
    here = (("receptacleatlocation", "?r", "?l"), ("atlocation", "?a", "?l"), ("inreceptacle", "?ot", "?r"))
    return ("exists", variables, ("and", *lit, *here))


def _in_hand(kind: str) -> Formula:
    variables = (("?o", "object"), ("?a", "agent"))
    return ("exists", variables, ("and", ("objecttype", "?o", f"{kind}type"), ("holds", "?a", "?o")))


def _plain(formula: Formula) -> bool:
    """Whether a formula only says that things with these properties exist, and that some are not the same."""
    match formula:
        case ("and", *parts):
            return all(_plain(part) for part in parts)
        case ("exists", _, body):
            return _plain(body)
        case ("not", ("=", str(), str())):
            return True
    return formula[0] not in ("or", "not", "imply", "forall", "=")


def _atoms(formula: Formula) -> Iterator[Formula]:
    """Every atom in a plain formula."""
    match formula:
        case ("and" | "not", *parts):
            for part in parts:
                yield from _atoms(part)
        case ("exists", _, body):
            yield from _atoms(body)
        case _:
            yield formula
