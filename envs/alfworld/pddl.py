"""Reads a PDDL problem of ALFRED's domain. The text is data: nothing in it is ever run."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from turnwise.envs.alfworld.problem import MARKS, TRAITS, Formula, Problem, ProblemError, Receptacle, Thing

_COMMENT = re.compile(r";[^\n]*")
_TOKEN = re.compile(r"[()]|[^\s()]+")
_DEEPEST = 50  # brackets within brackets; a goal has eleven

_SIZES = {
    **dict.fromkeys((*TRAITS, *MARKS, "openable", "opened", "holdsany"), 1),
    **dict.fromkeys(("atlocation", "receptacleatlocation", "objectatlocation", "inreceptacle", "cancontain"), 2),
    **dict.fromkeys(("receptacletype", "objecttype", "inreceptacleobject", "holds"), 2),
}
"""Predicate -> how many names it takes, of all that are read."""

Facts = defaultdict[str, list[tuple[str, ...]]]
"""Predicate -> its arguments, of everything that holds at the start."""


def read_problem(text: str, *, name: str, sentence: str, walkthrough: Sequence[str] = ()) -> Problem:
    """The problem in a PDDL text. Raises ProblemError where it is malformed or says what this engine does not know."""
    tree = _tree(text)
    sections = {part[0]: part[1:] for part in tree if isinstance(part, tuple) and part and isinstance(part[0], str)}
    for needed in (":objects", ":init", ":goal"):
        if not sections.get(needed):
            raise ProblemError(f"a problem needs the sections :objects, :init and :goal: {name} lacks {needed}")
    facts = _facts(sections[":init"])
    start = [spot for _, spot in facts["atlocation"]]
    if len(start) != 1:
        raise ProblemError(f"a problem says once where the agent is (atLocation): {name} does so {len(start)} times")
    mentioned = {argument for told in facts.values() for arguments in told for argument in arguments}
    objects = [(id, kind) for id, kind in typed(sections[":objects"]) if id in mentioned]
    return Problem(
        name=name,
        sentence=sentence,
        start=start[0],
        held=_held(facts, name),
        receptacles=tuple(_receptacles(facts, [id for id, kind in objects if kind == "receptacle"])),
        things=tuple(_things(facts, [id for id, kind in objects if kind == "object"])),
        can_contain=tuple(sorted((_kind(place), _kind(thing)) for place, thing in facts["cancontain"])),
        goal=_goal(sections[":goal"][0]),
        walkthrough=tuple(walkthrough),
    )


def _tree(text: str) -> tuple[Any, ...]:
    """The one bracketed expression in a text, in lower case, as nested tuples."""
    stack: list[list[Any]] = [[]]
    for token in _TOKEN.findall(_COMMENT.sub("", text.lower())):
        if token == "(":
            stack.append([])
        elif token != ")":
            stack[-1].append(token)
        elif len(stack) > 1:
            done = tuple(stack.pop())
            stack[-1].append(done)
        else:
            raise ProblemError("a PDDL text closes only brackets that are open")
        if len(stack) > _DEEPEST:
            raise ProblemError(f"a PDDL text nests brackets {_DEEPEST} deep at most")
    if len(stack) != 1 or len(stack[0]) != 1 or not isinstance(stack[0][0], tuple):
        raise ProblemError("a PDDL text is one expression in brackets, all of them closed")
    return stack[0][0]


def _facts(init: Sequence[Any]) -> Facts:
    """The facts of `:init` without the numbers, such as distances."""
    facts: Facts = defaultdict(list)
    for fact in init:
        if not isinstance(fact, tuple) or not fact or (fact[0] != "=" and not all(isinstance(x, str) for x in fact)):
            raise ProblemError(f"a fact is a predicate and names in brackets: got {str(fact)[:80]}")
        if fact[0] != "=":
            facts[fact[0]].append(fact[1:])
    for predicate, size in _SIZES.items():
        for arguments in facts[predicate]:
            if len(arguments) != size:
                raise ProblemError(f"{predicate} is said of {size}: got {' '.join(arguments)[:80]!r}")
    return facts


def _held(facts: Facts, name: str) -> str | None:
    held = [thing for _, thing in facts["holds"]]
    if len(held) > 1 or len(held) != len(facts["holdsany"]):
        raise ProblemError(f"the agent holds one thing (holds and holdsAny) or none at first: {name} says otherwise")
    return held[0] if held else None


def _receptacles(facts: Facts, ids: Sequence[str]) -> Iterator[Receptacle]:
    kinds, spots = _gathered(facts["receptacletype"]), _gathered(facts["receptacleatlocation"])
    openable, opened = _bearers(facts, "openable"), _bearers(facts, "opened")
    for id in sorted(ids):
        if len(spots[id]) > 1 or len(kinds[id]) > 1:
            raise ProblemError(f"a receptacle has one kind and is used from one spot: {id} is told more often")
        kind, spot = _kind("".join(kinds[id])), next(iter(spots[id]), None)
        yield Receptacle(id=id, kind=kind, spot=spot, openable=id in openable, opened=id in opened)


def _things(facts: Facts, ids: Sequence[str]) -> Iterator[Thing]:
    kinds = _gathered(facts["objecttype"])
    inside, spots = _gathered(facts["inreceptacle"]), _gathered(facts["objectatlocation"])
    contents = _gathered([(outer, inner) for inner, outer in facts["inreceptacleobject"]])
    bearers = {predicate: _bearers(facts, predicate) for predicate in (*TRAITS, *MARKS)}
    for id in sorted(ids):
        if len(kinds[id]) > 1:
            raise ProblemError(f"a thing has one kind: {id} is told to have several")
        yield Thing(
            id=id,
            kind=_kind("".join(kinds[id])),
            inside=tuple(inside[id]),
            spots=tuple(spots[id]),
            traits=tuple(trait for trait in TRAITS if id in bearers[trait]),
            marks=tuple(mark for mark in MARKS if id in bearers[mark]),
            contents=tuple(contents[id]),
        )


def _bearers(facts: Facts, predicate: str) -> set[str]:
    """Everything that a predicate of one name holds for."""
    return {id for (id,) in facts[predicate]}


def _gathered(pairs: Sequence[tuple[str, ...]]) -> defaultdict[str, list[str]]:
    """First name -> the second ones, sorted."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for first, second in sorted(set(pairs)):
        found[first].append(second)
    return found


def _kind(type_name: str) -> str:
    return type_name.removesuffix("type")


def _goal(tree: Any) -> Formula:
    """A goal with its typed variables paired: `(?o - object ?r - receptacle)` becomes `((?o, object), ...)`."""
    if not isinstance(tree, tuple) or not tree or not isinstance(tree[0], str):
        raise ProblemError(f"a goal is an operator or predicate in brackets: got {str(tree)[:80]}")
    if tree[0] in ("exists", "forall"):
        if len(tree) != 3 or not isinstance(tree[1], tuple):
            raise ProblemError(f"{tree[0]} takes variables and one formula: got {str(tree)[:80]}")
        return (tree[0], tuple(typed(tree[1])), _goal(tree[2]))
    if tree[0] in ("and", "or", "not", "imply"):
        return (tree[0], *(_goal(part) for part in tree[1:]))
    if not all(isinstance(part, str) for part in tree):
        raise ProblemError(f"a predicate takes names: got {str(tree)[:80]}")
    return tree


def typed(tokens: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """(variable, type) of a typed list; several variables may share a type."""
    waiting: list[str] = []
    words = iter(tokens)
    for word in words:
        if word != "-":
            waiting.append(str(word))
            continue
        kind = str(next(words, ""))
        yield from ((name, kind) for name in waiting)
        waiting = []
    yield from ((name, "object") for name in waiting)
