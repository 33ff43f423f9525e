"""Goals as quick tests: a formula is compiled once for a world, then asked after every move."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from turnwise.envs.alfworld.problem import MARKS, TRAITS, Formula, ProblemError
from turnwise.envs.alfworld.state import State

if TYPE_CHECKING:
    from turnwise.envs.alfworld.world import World

Bound = dict[str, str]
"""Variable -> id."""
Test = Callable[[State, Bound], bool]
Fact = Callable[[State, Sequence[str]], bool]


def compile_goal(formula: Formula, world: World) -> Callable[[State], bool]:
    """A test of the formula. Raises ProblemError on an operator or predicate that goals here do not use."""
    test = _compile(formula, _facts(world), _domains(world))
    return lambda state: test(state, {})


def _facts(world: World) -> dict[str, Fact]:
    """How each predicate is looked up; the agent is always the one there is."""
    spots = {(id, receptacle.spot) for id, receptacle in world.receptacles.items()}
    furniture = {(id, f"{receptacle.kind}type") for id, receptacle in world.receptacles.items()}
    kinds = {(id, f"{thing.kind}type") for id, thing in world.things.items()}
    facts: dict[str, Fact] = {
        "inreceptacle": lambda state, a: a[0] in state.contents.get(a[1], ()),
        "atlocation": lambda state, a: state.spot == a[1],
        "objectatlocation": lambda state, a: a[0] in state.near.get(a[1], ()),
        "holds": lambda state, a: state.held == a[1],
        "holdsany": lambda state, a: state.held is not None,
        "opened": lambda state, a: a[0] in state.opened,
        "openable": lambda state, a: a[0] in world.receptacles and world.receptacles[a[0]].openable,
        "receptacleatlocation": lambda state, a: (a[0], a[1]) in spots,
        "receptacletype": lambda state, a: (a[0], a[1]) in furniture,
        "objecttype": lambda state, a: (a[0], a[1]) in kinds,
        "inreceptacleobject": lambda state, a: a[1] in world.things and a[0] in world.things[a[1]].contents,
    }
    for trait in TRAITS:
        facts[trait] = lambda state, a, trait=trait: a[0] in world.with_trait[trait]  # type: ignore[misc]
    for mark in MARKS:
        facts[mark] = lambda state, a, mark=mark: a[0] in state.marks[mark]  # type: ignore[misc]
    return facts


def _domains(world: World) -> dict[str, tuple[str, ...]]:
    """Type -> ids that a variable of it stands for."""
    spots = set(world.at)
    spots |= {spot for thing in world.things.values() for spot in thing.spots} | {world.problem.start}
    return {
        "object": tuple(world.things),
        "receptacle": tuple(world.receptacles),
        "location": tuple(sorted(spots)),
        "agent": ("agent",),
    }


_STATIC = frozenset(("receptacletype", "objecttype", "receptacleatlocation", "openable", *TRAITS))
"""Predicates that no action changes: one about a single variable narrows the variable down at once."""


_OF_TWO = frozenset(
    (
        "inreceptacle",
        "atlocation",
        "objectatlocation",
        "holds",
        "receptacleatlocation",
        "receptacletype",
        "objecttype",
        "inreceptacleobject",
    )
)
"""Predicates that take two names; the others here take one."""


def _compile(formula: Formula, facts: Mapping[str, Fact], domains: Mapping[str, tuple[str, ...]]) -> Test:
    match formula:
        case ("and", *parts):
            tests = [_compile(part, facts, domains) for part in parts]
            return lambda state, bound: all(test(state, bound) for test in tests)
        case ("or", *parts):
            tests = [_compile(part, facts, domains) for part in parts]
            return lambda state, bound: any(test(state, bound) for test in tests)
        case ("not", part):
            denied = _compile(part, facts, domains)
            return lambda state, bound: not denied(state, bound)
        case ("imply", first, second):
            return _compile(("or", ("not", first), second), facts, domains)
        case ("forall", variables, body):
            return _compile(("not", ("exists", variables, ("not", body))), facts, domains)
        case ("exists", variables, body):
            return _exists(variables, body, facts, domains)
        case ("=", left, right):
            return lambda state, bound: _value(bound, left) == _value(bound, right)
        case (str() as predicate, *names) if predicate in facts:
            needed = 2 if predicate in _OF_TWO else 1
            if len(names) != needed:
                raise ProblemError(f"{predicate} is said of {needed}: got {len(names)}")
            fact = facts[predicate]
            return lambda state, bound: fact(state, [_value(bound, name) for name in names])
        case (str() as predicate, *_):
            known = ", ".join(("and", "or", "not", "imply", "exists", "forall", "=", *facts))
            raise ProblemError(f"a goal may use {known}: got {predicate[:50]!r}")
    raise ProblemError(f"a goal is an operator or predicate and its arguments: got {str(formula)[:50]!r}")


def _value(bound: Bound, name: str) -> str:
    """What a variable stands for; any other name stands for itself."""
    return bound.get(name, name)


def _exists(
    variables: Sequence[tuple[str, str]],
    body: Formula,
    facts: Mapping[str, Fact],
    domains: Mapping[str, tuple[str, ...]],
) -> Test:
    """Some choice of the variables makes the body true. What can be told at once is told before the play."""
    while body[0] == "exists" and not {name for name, _ in variables} & {name for name, _ in body[1]}:
        variables, body = (*variables, *body[1]), body[2]
    if not variables:
        return _compile(body, facts, domains)
    unknown = [kind for _, kind in variables if kind not in domains]
    if unknown:
        raise ProblemError(f"a variable of a goal is one of {', '.join(domains)}: got {unknown[0][:50]!r}")
    parts = list(body[1:]) if body[0] == "and" else [body]
    names = [name for name, _ in variables]
    choices = [_narrowed(name, domains[kind], parts, facts) for name, kind in variables]
    tests: list[list[Test]] = [[] for _ in names]
    for part in parts:
        if not any(_decides(part, name) for name in names):
            needed = [place for place, name in enumerate(names) if name in _mentioned(part)]
            tests[max(needed, default=0)].append(_compile(part, facts, domains))

    def search(place: int, state: State, bound: Bound) -> bool:
        for id in choices[place]:
            bound[names[place]] = id
            holds = all(test(state, bound) for test in tests[place])
            if holds and (place + 1 == len(names) or search(place + 1, state, bound)):
                return True
        return False

    return lambda state, bound: search(0, state, dict(bound))


def _mentioned(formula: Any) -> set[str]:
    """Every name in a formula."""
    return {formula} if isinstance(formula, str) else set().union(*map(_mentioned, formula))


def _decides(part: Formula, name: str) -> bool:
    """Whether a part is an unchanging fact about this variable and nothing else that varies."""
    return part[0] in _STATIC and part[1] == name and not any(arg.startswith("?") for arg in part[2:])


def _narrowed(name: str, ids: Sequence[str], parts: Sequence[Formula], facts: Mapping[str, Fact]) -> list[str]:
    """The ids that the unchanging facts about the variable allow."""
    told = [part for part in parts if _decides(part, name)]
    nowhere = State(spot="")
    return [id for id in ids if all(facts[part[0]](nowhere, (id, *part[2:])) for part in told)]
