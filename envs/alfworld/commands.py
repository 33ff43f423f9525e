"""Which commands a state admits, and what each one does to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from turnwise.envs.alfworld.goals import TREATMENTS
from turnwise.envs.alfworld.state import State
from turnwise.envs.alfworld.world import World

KNIVES = ("knife", "butterknife")


class Action(NamedTuple):
    """A command, read."""

    verb: str
    thing: str = ""
    """Id of the thing that is moved, changed or looked at; empty where there is none."""
    other: str = ""
    """Id of the receptacle, or of the knife."""


ALWAYS = {"help": Action("help"), "inventory": Action("inventory"), "look": Action("look")}


def admissible(world: World, state: State) -> dict[str, Action]:
    """Command -> action, for everything that can be done now."""
    names = world.names
    found = dict(ALWAYS)
    for id, receptacle in world.receptacles.items():
        if receptacle.spot is not None and receptacle.spot != state.spot:
            found[f"go to {names[id]}"] = Action("go", other=id)
    for id in world.at.get(state.spot, ()):
        found.update(_at(world, state, id))
    if state.held:
        found[f"examine {names[state.held]}"] = Action("study", state.held)
        found.update(_slices(world, state, state.held))
    return found


def accessible(world: World, state: State, receptacle: str) -> bool:
    """Whether one can reach into it: it stays open, or it is open now."""
    return not world.receptacles[receptacle].openable or receptacle in state.opened


def _at(world: World, state: State, id: str) -> Iterator[tuple[str, Action]]:
    """What can be done with a receptacle that one stands at."""
    names, name = world.names, world.names[id]
    yield f"examine {name}", Action("examine", other=id)
    if world.receptacles[id].openable:
        verb = "close" if id in state.opened else "open"
        yield f"{verb} {name}", Action(verb, other=id)
    reach = accessible(world, state, id)
    for thing in state.contents[id]:
        if reach and state.held is None and thing in world.with_trait["pickupable"]:
            yield f"take {names[thing]} from {name}", Action("take", thing, id)
        if thing in world.with_trait["toggleable"]:
            yield f"use {names[thing]}", Action("use", thing)
    if state.held:
        yield from _with_held(world, state.held, id, reach)


def _with_held(world: World, held: str, id: str, reach: bool) -> Iterator[tuple[str, Action]]:
    """What can be done with the thing in the hand at a receptacle. Washing, heating and cooling need no open door."""
    thing, name = world.names[held], world.names[id]
    if reach and world.accepts(id, held):
        yield f"move {thing} to {name}", Action("move", held, id)
    for treatment in TREATMENTS.values():
        if world.receptacles[id].kind == treatment.station and held in world.with_trait[treatment.trait]:
            yield f"{treatment.verb} {thing} with {name}", Action(treatment.verb, held, id)


def _slices(world: World, state: State, held: str) -> dict[str, Action]:
    """Everything near that the thing in the hand can slice."""
    if world.things[held].kind not in KNIVES:
        return {}
    near = state.near.get(state.spot, set()) & world.with_trait["sliceable"]
    return {f"slice {world.names[thing]} with {world.names[held]}": Action("slice", thing, held) for thing in near}


def carry_out(world: World, state: State, action: Action) -> None:
    """Change the state as the action does. Looking at things changes nothing."""
    verb, thing, other = action
    marks = state.marks
    match verb:
        case "go":
            state.spot = world.receptacles[other].spot or state.spot
        case "open":
            state.opened.add(other)
        case "close":
            state.opened.discard(other)
        case "take":
            state.contents[other].discard(thing)
            state.near.get(state.spot, set()).discard(thing)
            state.taken.add((thing, other))
            state.held = thing
        case "move":
            state.contents[other].add(thing)
            state.near.setdefault(state.spot, set()).add(thing)
            state.taken.discard((thing, other))
            state.held = None
        case "clean":
            marks["isclean"].add(thing)
        case "heat":
            marks["ishot"].add(thing)
            marks["iscool"].discard(thing)
        case "cool":
            marks["iscool"].add(thing)
            marks["ishot"].discard(thing)
        case "use":
            marks["ison"] ^= {thing}
            marks["istoggled"].add(thing)
        case "slice":
            marks["issliced"].add(thing)
