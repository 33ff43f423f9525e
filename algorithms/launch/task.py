"""What an engine somewhere else is handed: whole groups of plans of one step, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from turnwise.agents.plan import Plan, plan_from_dict, plan_to_dict
from turnwise.algorithms.explore.playing import by_group


@dataclass(frozen=True, slots=True)
class Task:
    """Groups of a step that are played together."""

    step: int
    part: int
    """Which part of the step it is, from 0."""
    plans: list[Plan]
    more: list[list[Plan]]
    """Further plans, of attempt 1, 2, ..., for ways of sampling that throw some away."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"part {self.part} of step {self.step} ({len(self.plans)} episodes)"

    def to_dict(self) -> dict[str, Any]:
        """Fit for JSON and for a checkpoint."""
        more = [[plan_to_dict(plan) for plan in plans] for plans in self.more]
        plans = [plan_to_dict(plan) for plan in self.plans]
        return {"step": self.step, "part": self.part, "plans": plans, "more": more}


def task_from_dict(raw: dict[str, Any]) -> Task:
    """The task that `to_dict` wrote down."""
    more = [[plan_from_dict(plan) for plan in plans] for plans in raw["more"]]
    return Task(raw["step"], raw["part"], [plan_from_dict(plan) for plan in raw["plans"]], more)


def tasks_of(step: int, attempts: Sequence[Sequence[Plan]], parts: int) -> list[Task]:
    """The plans of a step (and of its further attempts) in so many tasks of neighbouring whole groups."""
    cut = [_cut(plans, parts) for plans in attempts]
    return [Task(step, part, cut[0][part], [plans[part] for plans in cut[1:]]) for part in range(parts)]


def _cut(plans: Sequence[Plan], parts: int) -> list[list[Plan]]:
    groups = by_group(plans)
    bounds = [part * len(groups) // parts for part in range(parts + 1)]
    return [[plan for group in groups[start:end] for plan in group] for start, end in pairwise(bounds)]
