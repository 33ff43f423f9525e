"""SPO-tree: each task is played as a tree whose every node goes on in several ways; a leaf's path is an episode."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from turnwise.agents.plan import Plan
from turnwise.agents.table import Table
from turnwise.algorithms.checks import require_between
from turnwise.algorithms.credit.lineage import FORK_TOKEN
from turnwise.algorithms.explore.ground import Exploration, Ground
from turnwise.algorithms.explore.playing import by_group, play_on, shared_tokens
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class SPOTreeExploreSettings:
    """Settings of a tree's shape."""

    factors: tuple[int, ...] = (3, 3, 2)
    """Children of the root, of each of those, and so on; the segments of the last level run to the end."""
    segment_turns: int | None = 1
    """Turns of the learner per segment, >= 1; null where segments are counted in tokens."""
    segment_tokens: int | None = None
    """Tokens of the learner per segment, >= 1: a segment may end in the middle of a reply."""

    def __post_init__(self) -> None:
        if not self.factors:
            raise ValueError("factors are the numbers of children, level by level: got none")
        for factor in self.factors:
            require_between("factors", factor, 1)
        if (self.segment_turns is None) == (self.segment_tokens is None):
            raise ValueError(
                "a segment is counted in turns or in tokens, the other one is null: got segment_turns="
                f"{self.segment_turns} and segment_tokens={self.segment_tokens}"
            )
        for name in ("segment_turns", "segment_tokens"):
            if getattr(self, name) is not None:
                require_between(name, getattr(self, name), 1)


class Branch:
    """A path of a tree in the making: its table, and how far into a reply it left its parent."""

    __slots__ = ("fork_token", "table")

    def __init__(self, table: Table, fork_token: int = 0) -> None:
        self.table, self.fork_token = table, fork_token

    def episode(self, ground: Ground) -> Episode:
        """The finished path."""
        episode = ground.rollout.finish(self.table)
        metadata = {**episode.metadata, FORK_TOKEN: self.fork_token} if self.fork_token else episode.metadata
        return replace(episode, metadata=metadata)


def explore(
    plans: Sequence[Plan], ground: Ground, settings: SPOTreeExploreSettings, state: Mapping[str, Any]
) -> Exploration:
    """One tree for each group, from its first plan: its leaves, in the order in which their paths came up.

    The first child of a node goes on as its parent's path, the others are forks of it. A path that ends early is a
    leaf there and then. The ids are `<plan>`, `<plan>.1`, `<plan>.2`, ... All paths of a step are alive at once. The
    state is always {}.

    Source: Guo et al. 2025 (SPO), arXiv:2505.23564, section 4.3; a node is a state of the environment.
    """
    trees = [[Branch(ground.rollout.seat(group[0]))] for group in by_group(plans)]
    last = len(settings.factors) - 1
    for level, factor in enumerate(settings.factors):
        for tree in trees:
            _branch(tree, factor, ground)
        live = [branch.table for tree in trees for branch in tree if not branch.table.over]
        segment: dict[str, int | None] = {"turns": settings.segment_turns, "tokens": settings.segment_tokens}
        play_on(ground.rollout, live, ground.learner, **({} if level == last else segment))
    episodes = [branch.episode(ground) for tree in trees for branch in tree]
    return Exploration(
        episodes=episodes,
        metrics={
            "leaves": float(len(episodes)),
            "full_leaves": float(len(trees) * math.prod(settings.factors)),
            "shared_tokens": float(shared_tokens(episodes, FORK_TOKEN, ground.learner)),
        },
    )


def _branch(tree: list[Branch], factor: int, ground: Ground) -> None:
    """Fork every path that goes on, so that there are `factor` of it."""
    for branch in list(tree):
        table = branch.table
        table.rest()
        if table.over:
            continue
        begun = 0 if table.partial is None else len(table.partial.completion_ids)
        for _ in range(factor - 1):
            root, number = tree[0].table.plan, len(tree)
            plan = Plan(
                id=f"{root.id}.{number}",
                env_id=root.env_id,
                env_kwargs=root.env_kwargs,
                seed=root.seed,
                seats=root.seats,
                group=root.group,
                stream=root.stream + number,
            )
            tree.append(Branch(ground.rollout.fork(table, plan), begun))
