"""`World`: the part of a game that no action changes, worked out once and shared by every play of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from turnwise.envs.alfworld.formula import compile_goal
from turnwise.envs.alfworld.problem import MARKS, TRAITS, Problem, ProblemError
from turnwise.envs.alfworld.state import State


class World:
    """A problem with its names and look-up tables. Raises ProblemError where they do not fit together."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.receptacles = {item.id: item for item in sorted(problem.receptacles, key=lambda item: item.id)}
        """By id, in the order in which they are listed."""
        self.things = {item.id: item for item in sorted(problem.things, key=lambda item: item.id)}
        self.names = number([*self.receptacles, *self.things])
        """Id -> the name that players read, such as `mug 2`."""
        self.at: dict[str, tuple[str, ...]] = _by_spot(problem)
        """Spot -> the receptacles that are used from it, in order."""
        self.receptacles_in_reach = tuple(id for id, item in self.receptacles.items() if item.spot is not None)
        self.with_trait = {trait: frozenset(i for i, t in self.things.items() if trait in t.traits) for trait in TRAITS}
        self.can_contain = frozenset(problem.can_contain)
        self.won = compile_goal(problem.goal, self)
        """Whether a state meets the goal."""
        self.start = self._start()
        """The first state; play on a copy."""

    def __reduce__(self) -> tuple[Any, ...]:
        return World, (self.problem,)

    def accepts(self, receptacle: str, thing: str) -> bool:
        """Whether a thing of this kind may be put there."""
        return (self.receptacles[receptacle].kind, self.things[thing].kind) in self.can_contain

    def _start(self) -> State:
        problem = self.problem
        state = State(problem.start, problem.held)
        state.opened = {item.id for item in problem.receptacles if item.opened}
        state.contents = {item.id: set() for item in problem.receptacles}
        for mark in MARKS:
            state.marks[mark] = {thing.id for thing in problem.things if mark in thing.marks}
        for thing in problem.things:
            for receptacle in thing.inside:
                if receptacle not in state.contents:
                    raise ProblemError(
                        f"a thing is inside receptacles: {thing.id} is inside {receptacle}, which is none"
                    )
                state.contents[receptacle].add(thing.id)
            for spot in thing.spots:
                state.near.setdefault(spot, set()).add(thing.id)
        return state


def number(ids: Iterable[str]) -> dict[str, str]:
    """Id -> `kind n`: within a kind the numbers fall as the ids rise, as ALFWorld has it.

    The kind is what stands before the first `_bar_`, with `basin` where the id says that it is one. An id without
    `_bar_` keeps its text and gets a blank, as there.
    """
    ordered = sorted(ids)
    left = Counter(_kind(id) for id in ordered if "_bar_" in id)
    names = {}
    for id in ordered:
        if "_bar_" in id:
            kind = _kind(id)
            names[id] = f"{kind} {left[kind]}"
            left[kind] -= 1
        else:
            names[id] = f"{id} "
    return names


def _kind(id: str) -> str:
    return id.split("_bar_", 1)[0] + ("basin" if "basin" in id else "")


def _by_spot(problem: Problem) -> dict[str, tuple[str, ...]]:
    found = defaultdict(list)
    for item in sorted(problem.receptacles, key=lambda item: item.id):
        if item.spot is not None:
            found[item.spot].append(item.id)
    return {spot: tuple(ids) for spot, ids in found.items()}
