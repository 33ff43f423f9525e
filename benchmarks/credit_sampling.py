"""Four ways to spend a budget of generated tokens: independent groups, forks, values by continuations, trees."""

from __future__ import annotations

import math
from collections.abc import Callable

from credit_exact import Solved
from credit_play import Batch, Path, Player, Values

from turnwise.algorithms.credit.spo_chain import turn_cuts
from turnwise.algorithms.explore.branching import BranchingSettings, QuestionTree, grow_round, segment_entropy

GROUP = 8
"""Paths of a question."""
ROOTS = 4
"""With forks: those of them that start from its beginning."""
CONTINUATIONS = 4
"""Plays from each state that is valued."""
THRESHOLD = 0.9
"""A turn whose action was likelier than this is no cutpoint."""
BRANCHES = (3, 2, 2)
"""Children of the nodes of each depth of a tree; below, paths run to the end."""

Sampler = Callable[[Player, int], Batch]


def independent(player: Player, budget: int) -> Batch:
    """Groups of `GROUP` episodes of one instance, until the budget is reached."""
    batch = Batch()
    while batch.generated < budget:
        instance, group = player.instance(), f"g{len(batch.episodes)}"
        for _ in range(GROUP):
            path = player.walk(player.tree.roots[instance])
            add(batch, player, path, group)
            batch.generated += len(path)
    return batch


def add(
    batch: Batch, player: Player, path: Path, group: str, parent: str | None = None, fork_turn: int | None = None
) -> str:
    """Record a path in the batch; the id of its episode. What it generated is for the caller to count."""
    episode = player.record(path, group, parent=parent, fork_turn=fork_turn)
    batch.episodes.append(episode)
    batch.paths.append(path)
    return episode.id


def forks(player: Player, budget: int) -> Batch:
    """ARPO: `ROOTS` paths of a question start, and fork where the entropy of the policy rises, up to `GROUP` paths."""
    batch = Batch()
    while batch.generated < budget:
        _question(player, batch, f"g{len(batch.episodes)}")
    return batch


def _question(player: Player, batch: Batch, group: str) -> None:
    """All paths take one turn per round; then those that go on may fork."""
    tree = QuestionTree(BranchingSettings(roots=ROOTS), GROUP, player.uniform)
    root = player.tree.roots[player.instance()]
    paths: list[Path] = [[] for _ in range(ROOTS)]
    born: list[tuple[int | None, int | None]] = [(None, None)] * ROOTS
    active = list(range(ROOTS))
    vocabulary = max(2, max(len(node.actions) for node in player.tree.nodes))
    while active:
        heard = {}
        for number in active:
            node = player.after(paths[number]) if paths[number] else root
            assert node is not None  # only paths that go on are active
            action, _ = player.step(node)
            paths[number].append((node, action))
            heard[number] = segment_entropy((player.solved.entropy(node),), vocabulary=vocabulary)
            batch.generated += 1
        active = [number for number in active if player.after(paths[number]) is not None]
        for growth in grow_round([tree], [heard], [active])[0]:
            source = growth.source
            paths.append([] if source is None else list(paths[source]))
            born.append((None, None) if source is None else (source, len(paths[source])))
            active.append(growth.path)
    ids: list[str] = []
    for path, (source, fork) in zip(paths, born, strict=True):
        ids.append(add(batch, player, path, group, None if source is None else ids[source], fork))


def chain(player: Player, budget: int) -> Batch:
    """SPO-chain: states before turns that were no foregone conclusion are valued by playing on from them."""
    return _valued(player, budget, lambda path: turn_cuts(_chances(player.solved, path), THRESHOLD))


def full_chain(player: Player, budget: int) -> Batch:
    """The same with every state valued."""
    return _valued(player, budget, lambda path: list(range(len(path))))


def _valued(player: Player, budget: int, cuts: Callable[[Path], list[int]]) -> Batch:
    batch = Batch()
    while batch.generated < budget:
        path = player.walk(player.tree.roots[player.instance()])
        batch.generated += len(path)
        valued = {turn: player.monte_carlo(path[turn][0], CONTINUATIONS, batch) for turn in cuts(path)}
        turns = [{"value": valued[turn]} if turn in valued else {} for turn in range(len(path))]
        batch.episodes.append(player.record(path, f"g{len(batch.episodes)}", turns=turns))
        batch.paths.append(path)
    return batch


def _chances(solved: Solved, path: Path) -> list[list[float]]:
    return [[float(solved.policy[number][action])] for number, action in path]


def tree(player: Player, budget: int) -> Batch:
    """SPO-tree: every node has as many children as `BRANCHES` says, each one turn on."""
    batch = Batch()
    while batch.generated < budget:
        group, root = f"g{len(batch.episodes)}", player.tree.roots[player.instance()]
        for _ in range(BRANCHES[0]):
            _grow(player, batch, group, _extended(player, batch, [], root, last=len(BRANCHES) == 1), 1, None, None)
    return batch


def _extended(player: Player, batch: Batch, path: Path, node: int, *, last: bool) -> Path:
    """The path one turn longer, at the last depth played to its end."""
    more = player.walk(node, None if last else 1)
    batch.generated += len(more)
    return [*path, *more]


def _grow(
    player: Player, batch: Batch, group: str, path: Path, depth: int, parent: str | None, fork: int | None
) -> str:
    """Record all leaves below the end of a path; the id of the first, which is the path's own going on."""
    node = player.after(path)
    if node is None:
        return add(batch, player, path, group, parent, fork)
    first: str | None = None
    for _ in range(BRANCHES[depth]):
        longer = _extended(player, batch, path, node, last=depth == len(BRANCHES) - 1)
        born = (parent, fork) if first is None else (first, len(path))
        made = _grow(player, batch, group, longer, depth + 1, *born)
        first = first or made
    assert first is not None  # every depth has branches
    return first


def fitted(player: Player, budget: int) -> Values:
    """What a table learned from one batch of independent episodes says: mean return to come in a state of knowledge.

    A state that was not met has the mean over all.
    """
    sums: dict[str, tuple[float, int]] = {}
    total, count = 0.0, 0
    for path in independent(player, budget).paths:
        earned = [0.0] * len(player.tree.seats)
        for number, action in reversed(path):
            node = player.tree.nodes[number]
            earned = [more + paid for more, paid in zip(earned, node.rewards[action], strict=True)]
            value, times = sums.get(node.key, (0.0, 0))
            sums[node.key] = (value + earned[node.seat], times + 1)
            total, count = total + earned[node.seat], count + 1

    def mean(number: int) -> float:
        found, times = sums.get(player.tree.nodes[number].key, (total, count))
        return found / times if times else math.nan

    return mean
