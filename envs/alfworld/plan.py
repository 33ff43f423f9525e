"""The expert: from any state, the commands that do the chore, read off the whole state rather than what was seen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from turnwise.envs.alfworld.commands import accessible
from turnwise.envs.alfworld.goals import LIGHT, TREATMENTS, TWO, Aim, read_aim
from turnwise.envs.alfworld.state import State
from turnwise.envs.alfworld.world import World


def plan(world: World, state: State) -> tuple[str, ...] | None:
    """The shortest of the plain plans that reach the goal from this state; None where there is none.

    A plain plan empties the hand if it has to, then brings one thing after the other, by way of the sink, microwave or
    fridge where the task asks for it. It is empty where the goal is met.
    """
    aim = read_aim(world.problem.goal)
    if aim is None:
        return None
    if world.won(state):
        return ()
    walks = _lighting(world, state, aim) if aim.task == LIGHT else _placing(world, state, aim)
    return min((tuple(walk.commands) for walk in walks), key=len, default=None)


class _Walk:
    """Commands in the making, and what of the state they have changed."""

    def __init__(self, world: World, state: State) -> None:
        self.world, self.state = world, state
        self.commands: list[str] = []
        self.spot = state.spot
        self.opened = set(state.opened)

    def go(self, receptacle: str) -> None:
        spot = self.world.receptacles[receptacle].spot
        if spot is not None and spot != self.spot:
            self.commands.append(f"go to {self.world.names[receptacle]}")
            self.spot = spot

    def reach(self, receptacle: str) -> None:
        self.go(receptacle)
        if self.world.receptacles[receptacle].openable and receptacle not in self.opened:
            self.commands.append(f"open {self.world.names[receptacle]}")
            self.opened.add(receptacle)

    def take(self, thing: str, receptacle: str) -> None:
        self.reach(receptacle)
        self.commands.append(f"take {self.world.names[thing]} from {self.world.names[receptacle]}")

    def move(self, thing: str, receptacle: str) -> None:
        self.reach(receptacle)
        self.commands.append(f"move {self.world.names[thing]} to {self.world.names[receptacle]}")

    def treat(self, verb: str, thing: str, station: str) -> None:
        self.go(station)
        self.commands.append(f"{verb} {self.world.names[thing]} with {self.world.names[station]}")

    def use(self, thing: str) -> None:
        self.commands.append(f"use {self.world.names[thing]}")


def _placing(world: World, state: State, aim: Aim) -> Iterator[_Walk]:
    """Every plain way to bring as many things as the task asks for to a receptacle of the kind it asks for."""
    things = _of_kind(world, state, aim.kind)
    for destination in _reachable(world, aim.destination):
        there = [
            thing for thing in things if thing in state.contents[destination] and _treated(world, state, thing, aim)
        ]
        rest = [thing for thing in things if thing not in there and world.accepts(destination, thing)]
        for chosen in permutations(rest, max(1, (2 if aim.task == TWO else 1) - len(there))):
            if state.held in chosen[1:]:
                continue  # what is in the hand is brought first
            for station in _stations(world, state, chosen, aim):
                walk = _hold(world, state, chosen[0])
                if walk is not None:
                    _bring(walk, chosen, station, destination, aim)
                    yield walk


def _bring(walk: _Walk, chosen: tuple[str, ...], station: str, destination: str, aim: Aim) -> None:
    """Take the chosen things one by one (the first is in the hand by now) through the station to the destination."""
    for place, thing in enumerate(chosen):
        if place:
            walk.take(thing, _source(walk.world, walk.state, thing))
        if not _treated(walk.world, walk.state, thing, aim):
            walk.treat(TREATMENTS[aim.task].verb, thing, station)
        walk.move(thing, destination)


def _lighting(world: World, state: State, aim: Aim) -> Iterator[_Walk]:
    """Every plain way to hold the thing where a lamp is lit."""
    for lamp in sorted(world.with_trait["toggleable"]):
        hosts = [id for id in world.receptacles_in_reach if lamp in state.contents[id]]
        for host in hosts if world.things[lamp].kind == aim.lamp else ():
            for thing in _of_kind(world, state, aim.kind):
                walk = _hold(world, state, thing)
                if walk is not None:
                    walk.go(host)
                    if lamp not in state.marks["istoggled"]:
                        walk.use(lamp)
                    yield walk


def _hold(world: World, state: State, thing: str) -> _Walk | None:
    """The start of a walk, up to where the thing is in the hand; None if the hand cannot be emptied for it."""
    walk = _Walk(world, state)
    if state.held == thing:
        return walk
    source = _source(world, state, thing)
    if state.held is not None:
        place = _place_for(world, state, state.held, source)
        if place is None:
            return None
        walk.move(state.held, place)
    walk.take(thing, source)
    return walk


def _place_for(world: World, state: State, held: str, source: str) -> str | None:
    """Where to leave what is in the hand at the least cost: here, where one has to go next, or anywhere."""
    here = world.at.get(state.spot, ())

    def cost(receptacle: str) -> int:
        way = 0 if receptacle in here else 1 if receptacle == source else 2
        return way + (not accessible(world, state, receptacle))

    fit = [id for id in world.receptacles_in_reach if world.accepts(id, held)]
    return min(fit, key=cost, default=None)


def _of_kind(world: World, state: State, kind: str) -> list[str]:
    """The things of a kind that are in the hand or can be taken."""
    found = [id for id, thing in world.things.items() if thing.kind == kind]
    return [id for id in found if id == state.held or _source(world, state, id)]


def _source(world: World, state: State, thing: str) -> str:
    """A receptacle that the thing can be taken from; empty where there is none."""
    if thing not in world.with_trait["pickupable"]:
        return ""
    return next((id for id in world.receptacles_in_reach if thing in state.contents[id]), "")


def _reachable(world: World, kind: str) -> list[str]:
    return [id for id in world.receptacles_in_reach if world.receptacles[id].kind == kind]


def _stations(world: World, state: State, chosen: tuple[str, ...], aim: Aim) -> list[str]:
    """The receptacles that can treat the things as the task asks; one empty name where nothing is left to treat."""
    if all(_treated(world, state, thing, aim) for thing in chosen):
        return [""]
    treatment = TREATMENTS[aim.task]
    able = all(thing in world.with_trait[treatment.trait] for thing in chosen)
    return _reachable(world, treatment.station) if able else []


def _treated(world: World, state: State, thing: str, aim: Aim) -> bool:
    """Whether the thing is as the task asks, if the task asks for anything but its place."""
    treatment = TREATMENTS.get(aim.task)
    return treatment is None or (thing in world.with_trait[treatment.trait] and thing in state.marks[treatment.mark])
