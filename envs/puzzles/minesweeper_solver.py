"""What can be known for certain on a Minesweeper field: exact, the number of mines included.

Cells that touch the same numbers are one group, since only how many mines a group holds matters. Groups that share
no number, directly or through others, are separate parts; each part is searched for every number of mines that it
can hold, and the parts are put together with the cells that touch no number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from turnwise.envs.puzzles.minesweeper_rules import Field, neighbours, opened

Rules = list[tuple[frozenset[int], int]]
"""(cells, how many of them are mines)."""


class TooLarge(OverflowError):
    """A part of the field has more arrangements than may be looked at."""


@dataclass(slots=True)
class _Part:
    """Groups of cells that depend on each other, and what the search has found of them."""

    groups: list[list[int]]
    rules: list[tuple[list[int], int]]
    """(indices of groups, mines in them)."""
    lowest: dict[int, list[int]] = field(default_factory=dict)
    """Mines in the part -> fewest mines of every group."""
    highest: dict[int, list[int]] = field(default_factory=dict)


def deduce(
    rows: int, columns: int, mines: int, shown: Mapping[int, int], *, most: int = 200_000
) -> tuple[frozenset[int], frozenset[int]]:
    """(cells that are certainly safe, cells that are certainly mines) among those that are not shown.

    mines: of the whole field. shown: open cell -> its number. Raises TooLarge after `most` steps of the search.
    """
    hidden = [cell for cell in range(rows * columns) if cell not in shown]
    near = neighbours(rows, columns)
    rules: Rules = []
    for cell, number in shown.items():
        around = frozenset(other for other in near[cell] if other not in shown)
        if around:
            rules.append((around, number))
    parts = _parts(rules)
    budget = [most]
    for part in parts:
        _search(part, budget)
    return _combine(parts, hidden, mines)


def guessless(field: Field, shown: Set[int]) -> tuple[int, ...] | None:
    """Cells to reveal one after the other, each certainly safe by then, until all safe ones are open; or None.

    shown: the cells that are open at first.
    """
    plan: list[int] = []
    known = {cell: field.counts[cell] for cell in sorted(shown)}
    while len(known) < field.safe:
        safe = _simple(field, known) or _exact(field, known)
        if not safe:
            return None
        for cell in safe:
            if cell not in known:
                plan.append(cell)
                known |= {new: field.counts[new] for new in sorted(opened(field, cell, known.keys()))}
    return tuple(plan)


def _exact(field: Field, known: Mapping[int, int]) -> list[int]:
    try:
        return sorted(deduce(field.rows, field.columns, len(field.mines), known, most=20_000)[0])
    except TooLarge:
        return []


def _simple(field: Field, known: Mapping[int, int]) -> list[int]:
    """Safe cells that follow from one number at a time: fast, and not all of them."""
    near = neighbours(field.rows, field.columns)
    rules = [(number, [other for other in near[cell] if other not in known]) for cell, number in known.items()]
    mines = {cell for number, around in rules if number == len(around) for cell in around}
    safe = {
        cell
        for number, around in rules
        if around and number == sum(other in mines for other in around)
        for cell in around
        if cell not in mines
    }
    return sorted(safe)


def _parts(rules: Rules) -> list[_Part]:
    """The groups of cells and their numbers, divided into what does not depend on each other."""
    member: dict[int, list[int]] = {}
    for index, (cells, _) in enumerate(rules):
        for cell in sorted(cells):
            member.setdefault(cell, []).append(index)
    groups: dict[tuple[int, ...], list[int]] = {}
    for cell in sorted(member):
        groups.setdefault(tuple(member[cell]), []).append(cell)
    parts, left = [], dict(groups)
    while left:
        keys, waiting, seen = [], [next(iter(left))], set[int]()
        while waiting:
            key = waiting.pop(0)
            if key in left:
                keys.append(key)
                del left[key]
                seen.update(key)
                waiting += [other for other in left if not seen.isdisjoint(other)]
        numbers = [([i for i, key in enumerate(keys) if rule in key], rules[rule][1]) for rule in sorted(seen)]
        parts.append(_Part([groups[key] for key in keys], numbers))
    return parts


def _search(part: _Part, budget: list[int]) -> None:
    """Find every way to share out mines to the groups that fits all numbers; keep the extremes per number of mines."""
    sizes = [len(group) for group in part.groups]
    of_group = [[i for i, (groups, _) in enumerate(part.rules) if g in groups] for g in range(len(sizes))]
    need = [number for _, number in part.rules]
    room = [sum(sizes[g] for g in groups) for groups, _ in part.rules]
    chosen: list[int] = []

    def place() -> None:
        budget[0] -= 1
        if budget[0] < 0:
            raise TooLarge("a part of the field has too many arrangements")
        at = len(chosen)
        if at == len(sizes):
            _keep(part, chosen)
            return
        mine = of_group[at]
        for rule in mine:
            room[rule] -= sizes[at]
        low = max([0, *(need[rule] - room[rule] for rule in mine)])
        high = min([sizes[at], *(need[rule] for rule in mine)])
        for count in range(low, high + 1):
            chosen.append(count)
            for rule in mine:
                need[rule] -= count
            place()
            for rule in mine:
                need[rule] += count
            chosen.pop()
        for rule in mine:
            room[rule] += sizes[at]

    place()


def _keep(part: _Part, chosen: list[int]) -> None:
    total = sum(chosen)
    if total in part.lowest:
        part.lowest[total] = list(map(min, part.lowest[total], chosen))
        part.highest[total] = list(map(max, part.highest[total], chosen))
    else:
        part.lowest[total], part.highest[total] = list(chosen), list(chosen)


def _combine(parts: list[_Part], hidden: list[int], mines: int) -> tuple[frozenset[int], frozenset[int]]:
    """What holds in every arrangement of all parts and of the cells that touch no number."""
    touched = {cell for part in parts for group in part.groups for cell in group}
    rest = [cell for cell in hidden if cell not in touched]
    totals = [set(part.lowest) for part in parts]
    everywhere = {total for total in _sums(totals) if 0 <= mines - total <= len(rest)}
    safe: list[int] = rest if everywhere == {mines} else []
    mined: list[int] = rest if everywhere == {mines - len(rest)} else []
    for index, part in enumerate(parts):
        others = _sums(totals[:index] + totals[index + 1 :])
        fitting = [own for own in totals[index] if any(0 <= mines - own - more <= len(rest) for more in others)]
        for g, group in enumerate(part.groups):
            if all(part.highest[own][g] == 0 for own in fitting):
                safe = [*safe, *group]
            elif all(part.lowest[own][g] == len(group) for own in fitting):
                mined = [*mined, *group]
    return frozenset(safe), frozenset(mined)


def _sums(sets: Iterable[Set[int]]) -> set[int]:
    """Every sum of one number out of each set."""
    found = {0}
    for numbers in sets:
        found = {one + other for one in found for other in numbers}
    return found
