"""What a turn earns: pure functions of what came before and what came of it, in task units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from turnwise.envs.textworld.engine import Scene


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as a reward sees it."""

    before: Scene
    after: Scene
    max_score: int
    """The most points that the game gives."""
    plan_length: int
    """Commands that win from the beginning, where the reward asks for plans; else 0."""
    paid: float
    """Sum of the rewards of the turns before."""


def sparse(turn: Turn) -> float:
    """1 for winning, else 0; losing pays nothing."""
    return float(turn.after.won)


def score(turn: Turn) -> float:
    """The points of this turn as a share of all: (score now - score before) / most points.

    A won game pays 1. This is the dense reward of "A Practitioner's Guide to Multi-turn Agentic RL", as far as a turn
    can know it: when the game is won the guide divides by the number of turns that scored, which is the same number
    unless one turn scored several points.
    """
    if turn.max_score == 0:
        return sparse(turn)
    return min(turn.after.score, turn.max_score) / turn.max_score - turn.paid


def intermediate(turn: Turn) -> float:
    """TextWorld's intermediate reward as a share of the plan: +1 if the shortest known way to win got shorter, -1 if
    it got longer or was lost, over the length of the plan at the beginning. The return is held within [-1, 1].

    Source: Côté et al. 2018, arXiv:1806.11532, section 3.3.
    """
    change = progress(turn.before, turn.after) / max(turn.plan_length, 1)
    return max(-1.0, min(1.0, turn.paid + change)) - turn.paid


def progress(before: Scene, after: Scene) -> int:
    """+1, 0 or -1: TextWorld's intermediate reward. A plan that is lost for good counts as -1, once."""
    if after.won:
        return 1
    if after.lost:
        return -1
    if not before.policy:
        return 0
    if not after.policy:
        return -1
    shorter = len(before.policy) - len(after.policy)
    return (shorter > 0) - (shorter < 0)


REWARDS: dict[str, Callable[[Turn], float]] = {"sparse": sparse, "score": score, "intermediate": intermediate}
WANTS: dict[str, frozenset[str]] = {"intermediate": frozenset({"policy_commands"})}
"""What a reward needs to be told by TextWorld at every turn."""
BOUNDS: dict[str, tuple[float, float]] = {"sparse": (0.0, 1.0), "score": (0.0, 1.0), "intermediate": (-1.0, 1.0)}
"""(lowest, highest) return."""
