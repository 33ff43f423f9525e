"""What every turn is worth, exactly: values and advantages of a fixed policy by dynamic programming over the table."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from credit_tree import Node, Tree

Floats = npt.NDArray[np.float64]

POLICIES = ("random", "half-trained", "near-optimal")
EXPLORATION = 0.2
"""How often the near-optimal policy takes a random action."""


@dataclass(frozen=True, slots=True)
class Solved:
    """A policy on a table, and all that follows from it. Lists run over the nodes; arrays over a node's actions."""

    tree: Tree
    policy: list[Floats]
    """pi(a | what the seat knows)"""
    values: list[Floats]
    """[seats] V: expected return to come of every seat, in task units."""
    advantages: list[Floats]
    """Q - V of the seat that acts, in task units."""
    visits: Floats
    """[nodes] how often an episode passes a node, instances equally likely."""
    answers: list[float]
    """Log-probability of the right answer under the policy's own beliefs, in nats; NaN where there is none."""

    def value(self, number: int) -> float:
        """V of a node for the seat that acts there."""
        return float(self.values[number][self.tree.nodes[number].seat])

    def entropy(self, number: int) -> float:
        """Of the policy at a node, in nats."""
        chances = self.policy[number]
        return float(-sum(p * math.log(p) for p in chances.tolist() if p > 0.0))


def solve(tree: Tree, policy: str) -> Solved:
    """Values, advantages and visits under one of `POLICIES`. Raises ValueError for another name."""
    chances = [chances_of(node, policy) for node in tree.nodes]
    return solve_for(tree, chances)


def solve_for(tree: Tree, chances: list[Floats]) -> Solved:
    """The same for any policy: one row of probabilities per node."""
    count, seats = len(tree.nodes), len(tree.seats)
    values, advantages = [np.zeros(seats)] * count, [np.zeros(0)] * count
    for number in range(count - 1, -1, -1):
        node = tree.nodes[number]
        worth = np.array(
            [
                np.array(paid) + (0.0 if child is None else values[child])
                for paid, child in zip(node.rewards, node.children, strict=True)
            ]
        )
        values[number] = chances[number] @ worth
        advantages[number] = worth[:, node.seat] - values[number][node.seat]
    visits = np.zeros(count)
    visits[list(tree.roots)] = 1.0 / len(tree.roots)
    for number, node in enumerate(tree.nodes):
        for chance, child in zip(chances[number].tolist(), node.children, strict=True):
            if child is not None:
                visits[child] += visits[number] * chance
    return Solved(tree, chances, values, advantages, visits, answer_logprobs(tree, chances))


def chances_of(node: Node, policy: str) -> Floats:
    """[actions] a mixture of the expert's choice and a uniform one.

    random: uniform. near-optimal: the expert four times in five, else any action. half-trained: in every state of
    knowledge a share of the expert that is drawn once from [0, 1]: some situations are mastered and some are not.
    """
    share = {"random": 0.0, "near-optimal": 1.0 - EXPLORATION, "half-trained": _skill(node.key)}
    if policy not in share:
        raise ValueError(f"a policy is one of {', '.join(POLICIES)}: got {policy!r}")
    uniform = np.full(len(node.actions), 1.0 / len(node.actions))
    return share[policy] * np.array(node.expert) + (1.0 - share[policy]) * uniform


def _skill(key: str) -> float:
    """A number in [0, 1) that belongs to a text."""
    return zlib.crc32(key.encode()) / 2**32


LEAST_BELIEF = 0.01
"""Of an answer that play has ruled out: a language model is never sure."""


def answer_logprobs(tree: Tree, chances: list[Floats]) -> list[float]:
    """[nodes] what teacher forcing would measure. Where answers are actions (`answer X`), the chance of the right one
    among them. In a bifurcation, the chance that the way taken at the fork that decides is, or was, the right one.
    """
    found = []
    for number, node in enumerate(tree.nodes):
        truth = tree.truths[node.instance]
        if truth is None:
            found.append(math.nan)
        elif f"answer {truth}" in node.actions:
            spoken = [i for i, action in enumerate(node.actions) if action.startswith("answer ")]
            right = chances[number][node.actions.index(f"answer {truth}")]
            found.append(math.log(right / chances[number][spoken].sum()))
        else:
            found.append(math.nan)
    if tree.env_id == "Bifurcation-LLM":
        return _beliefs(tree, chances)
    return found


def _beliefs(tree: Tree, chances: list[Floats]) -> list[float]:
    """Log of the chance to arrive, kept off 0: in a bifurcation that is the chance of the right way where it counts."""
    beliefs = np.zeros(len(tree.nodes))
    for number in range(len(tree.nodes) - 1, -1, -1):
        node = tree.nodes[number]
        paid = [rewards[0] for rewards in node.rewards]
        later = [0.0 if child is None else beliefs[child] for child in node.children]
        beliefs[number] = chances[number] @ (np.array(paid) + np.array(later))
    return [math.log(max(belief, LEAST_BELIEF)) for belief in beliefs.tolist()]
