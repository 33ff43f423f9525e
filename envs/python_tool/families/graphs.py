"""Graphs."""

from __future__ import annotations

import heapq

import numpy as np

from turnwise.envs.python_tool.puzzle import Puzzle, draw

Edge = tuple[int, int, int]


def shortest_path(rng: np.random.Generator, level: int) -> Puzzle:
    """The shortest way, by Dijkstra's algorithm."""
    towns, roads = _connected(rng, 5 + 3 * level)
    goal = towns - 1
    lengths, heap = {}, [(0, 0)]
    while heap:
        length, town = heapq.heappop(heap)
        if town not in lengths:
            lengths[town] = length
            for a, b, weight in roads:
                if town in (a, b):
                    heapq.heappush(heap, (length + weight, b if town == a else a))
    code = (
        f"best = [0] + [10 ** 9] * {goal}\nfor _ in best:\n    for a, b, w in {roads}:\n"
        "        best[a], best[b] = min(best[a], best[b] + w), min(best[b], best[a] + w)\nprint(best[-1])"
    )
    question = (
        f"Roads between the towns 0 to {goal}, as (town, town, length): {roads}. How long is the shortest way "
        f"from 0 to {goal}?"
    )
    return Puzzle(question, str(lengths[goal]), code)


def spanning_tree(rng: np.random.Generator, level: int) -> Puzzle:
    """The cheapest net, by Kruskal's algorithm."""
    towns, cables = _connected(rng, 5 + 3 * level)
    group, total = list(range(towns)), 0
    for a, b, weight in sorted(cables, key=lambda cable: cable[2]):
        if group[a] != group[b]:
            total += weight
            group = [group[a] if one == group[b] else one for one in group]
    code = (
        f"cables, inside, total = {cables}, {{0}}, 0\nwhile len(inside) < {towns}:\n"
        "    w, a, b = min((w, a, b) for a, b, w in cables if (a in inside) != (b in inside))\n"
        "    inside |= {a, b}\n    total += w\nprint(total)"
    )
    question = (
        f"Possible cables between the houses 0 to {towns - 1}, as (house, house, price): {cables}. What is the "
        f"least price of a net that joins all houses?"
    )
    return Puzzle(question, str(total), code)


def components(rng: np.random.Generator, level: int) -> Puzzle:
    """Groups of friends, by merging."""
    people = 8 + 6 * level
    pairs = sorted({tuple(sorted(int(one) for one in rng.permutation(people)[:2])) for _ in range(people * 2 // 3)})
    group = list(range(people))
    for a, b in pairs:
        group = [group[a] if one == group[b] else one for one in group]
    code = (
        f"pairs, left, count = {pairs}, set(range({people})), 0\nwhile left:\n    todo = [left.pop()]\n    count += 1\n"
        "    while todo:\n        one = todo.pop()\n"
        "        near = {a + b - one for a, b in pairs if one in (a, b)} & left\n"
        "        left -= near\n        todo += near\nprint(count)"
    )
    question = (
        f"Among the people 0 to {people - 1} these pairs know each other: {pairs}. Into how many groups do they "
        f"fall, if whoever knows somebody belongs to that one's group?"
    )
    return Puzzle(question, str(len(set(group))), code)


def _connected(rng: np.random.Generator, towns: int) -> tuple[int, list[Edge]]:
    """A tree and some more edges, no two between the same towns."""
    ends = {(draw(rng, 0, town - 1), town) for town in range(1, towns)}
    for _ in range(towns):
        a, b = sorted(int(town) for town in rng.permutation(towns)[:2])
        ends.add((a, b))
    return towns, [(a, b, draw(rng, 1, 30)) for a, b in sorted(ends)]
