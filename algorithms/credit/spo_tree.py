"""SPO-tree: the value of a node is the mean of its children; an edge is worth how far its end lies above its start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.episodes import CreditResult
from turnwise.algorithms.credit.groups import centred, seat_rows, spread
from turnwise.algorithms.credit.lineage import Segment, segment_paths, told_once, trainers
from turnwise.algorithms.credit.uncertain import finish
from turnwise.records import Episode

METHODS = ("mean_only", "mean_std")
NOTHING = 1e-12
"""Differences and advantages up to here are rounding: they count as 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SPOTreeSettings:
    """Settings of edge advantages in a tree."""

    method: str = "mean_only"
    """`mean_only`: V(child) - V(parent). `mean_std`: that over the population standard deviation of the siblings."""
    eps: float = 1e-8
    """`mean_std`: added to the standard deviation, in task units, >= 0."""
    drop_zero: bool = True
    """Leave edges of advantage 0 out of training."""
    prob_threshold: float | None = 0.9
    """Tokens of a higher probability under the policy before the update get 0, in (0, 1]; null masks nothing."""
    whiten: bool = True
    """Bring the batch's advantages to mean 0 and spread 1, with the statistics of tokens below the threshold."""

    def __post_init__(self) -> None:
        require_choice("method", self.method, METHODS)
        require_between("eps", self.eps, 0.0)
        if self.prob_threshold is not None:
            require_between("prob_threshold", self.prob_threshold, 0.0, 1.0, open_low=True)


def needs(settings: SPOTreeSettings) -> tuple[str, ...]:
    """Several paths per question, and the trainer's log-probs where tokens are masked by them."""
    return ("groups",) if settings.prob_threshold is None else ("groups", "train_logprobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A state of a tree and the segment that led to it from its parent."""

    segment: Sequence[Any]
    """A text, tokens, or whatever else has a length; the root's is not used."""
    children: tuple[Node, ...] = ()
    reward: float | None = None
    """Of a leaf, in task units; None exactly where there are children."""

    def __post_init__(self) -> None:
        if bool(self.children) == (self.reward is not None):
            raise ValueError(
                f"a node has children, or is a leaf and has a reward: got {len(self.children)} children and reward "
                f"{self.reward}"
            )


class Edge(NamedTuple):
    """One training sample: from all that led to the parent to the child's segment."""

    parent: tuple[Sequence[Any], ...]
    """Segments from the root's down to the parent's."""
    segment: Sequence[Any]
    advantage: float
    """In task units with `mean_only`, without unit with `mean_std`."""
    value: float
    """Of the child, in task units."""
    leaf: bool


def node_value(node: Node) -> float:
    """Reward of a leaf, else the plain mean of the children's values, in task units."""
    if node.reward is not None:
        return node.reward
    return sum(map(node_value, node.children)) / len(node.children)


def edge_advantages(
    root: Node, *, method: str = "mean_only", eps: float = 1e-8, drop_zero: bool = True
) -> tuple[float, list[Edge]]:
    """The value of the root and every edge that is trained, depth first.

    Args:
        method: See `SPOTreeSettings`; the parent's mean includes the child.
        eps: Added to the standard deviation of `mean_std`, in task units.
        drop_zero: Leave out edges of advantage 0: children that all agree teach nothing.
    Returns: Value in task units, edges. Edges of an empty segment are always left out.
    Raises: ValueError on an unknown method.
    Source: Guo et al. 2025 (SPO), arXiv:2505.23564, section 4.3; mean_std: its released code.
    """
    require_choice("method", method, METHODS)
    edges = _edges(root, (root.segment,), method, eps)
    kept = [edge for edge in edges if len(edge.segment) and not (drop_zero and edge.advantage == 0.0)]
    return node_value(root), kept


def _edges(node: Node, above: tuple[Sequence[Any], ...], method: str, eps: float) -> Iterator[Edge]:
    values = np.array([node_value(child) for child in node.children], dtype=np.float64)
    siblings = np.zeros(len(values), dtype=np.intp)
    rise = centred(values, siblings)
    divisor = spread(values, siblings, 0) + eps if method == "mean_std" else np.ones_like(values)
    divisor[divisor == 0.0] = 1.0
    advantages = np.where((np.abs(rise) <= NOTHING) | (np.abs(rise / divisor) <= NOTHING), 0.0, rise / divisor)
    for child, value, advantage in zip(node.children, values.tolist(), advantages.tolist(), strict=True):
        yield Edge(above, child.segment, advantage, value, child.reward is not None)
        yield from _edges(child, (*above, child.segment), method, eps)


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: SPOTreeSettings, learner: str = "policy"
) -> CreditResult:
    """Edge advantages of each question's tree, whose paths are its episodes.

    A tree is all episodes of one (episode.group, seat). An edge runs from where paths part to where they part again,
    or to a path's end; its tokens are trained once, in the episode that sampled them. The state is always {}.

    Raises: ValueError if a finished episode has no group, a fork's parent is not in the batch, or tokens are to be
        masked without train_logprobs.
    """
    rows = seat_rows(episodes, learner)
    paths = segment_paths(episodes)
    trained_by = trainers(episodes, paths)
    entries, values = [], []
    for group in dict.fromkeys(row.group for row in rows):
        places = [row.place for row in rows if row.group == group]
        seat = group[1]
        leaves = [(tuple(paths[place]), episodes[place].returns[seat]) for place in places]
        root = Node(segment=(), children=_children(leaves))
        value, edges = edge_advantages(root, method=settings.method, eps=settings.eps, drop_zero=settings.drop_zero)
        values.append(value)
        entries += [
            (trained_by[segment], segment, {seat: edge.advantage}) for edge in edges for segment in edge.segment
        ]
    table = finish(told_once(episodes, entries, learner), episodes, settings.prob_threshold, settings.whiten)
    return CreditResult(table, {}, metrics={"root_value": float(np.mean(values))} if values else {})


Leaf = tuple[tuple[Segment, ...], float]
"""What is left of a path below a node, and its return."""


def _children(leaves: Sequence[Leaf]) -> tuple[Node, ...]:
    """One child per first segment, in the order of the paths; a path that ends here is a leaf of no length."""
    branches: dict[Segment | int, list[Leaf]] = {}
    for number, (path, reward) in enumerate(leaves):
        branches.setdefault(path[0] if path else number, []).append((path, reward))
    return tuple(map(_node, branches.values()))


def _node(leaves: Sequence[Leaf]) -> Node:
    """The node that all these paths lead to, at the end of what they have in common."""
    if len(leaves) == 1:
        return Node(segment=leaves[0][0], reward=leaves[0][1])
    shared = 0
    for steps in zip(*(path for path, _ in leaves), strict=False):
        if len(set(steps)) > 1:
            break
        shared += 1
    below = [(path[shared:], reward) for path, reward in leaves]
    return Node(segment=leaves[0][0][:shared], children=_children(below))
