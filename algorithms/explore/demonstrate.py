"""Hybrid post-training: a task that the policy does not solve is learned from an example instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.agents.plan import Plan
from turnwise.algorithms.checks import require_between
from turnwise.algorithms.credit.episodes import learner_seats
from turnwise.algorithms.explore.ground import Exploration, Ground
from turnwise.algorithms.hpt import gate
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class DemonstrateSettings:
    """Settings of the gate between a task's own rollouts and a demonstration."""

    gate_count: int = 0
    """A task is shown where at most so many of its rollouts solved it."""
    solved_at: float = 1.0
    """Least return that counts as solved, in task units."""
    teacher: str = "expert"
    """The scripted agent that shows it."""

    def __post_init__(self) -> None:
        require_between("gate_count", self.gate_count, 0)
        require_between("solved_at", self.solved_at)


def players(settings: DemonstrateSettings) -> tuple[str, ...]:
    """The teacher."""
    return (settings.teacher,)


def explore(
    plans: Sequence[Plan], ground: Ground, settings: DemonstrateSettings, state: Mapping[str, Any]
) -> Exploration:
    """The groups that pass the gate, and one demonstration for each of the others. The state is always {}.

    Source: Lv et al. 2025 (HPT), arXiv:2509.04419, section 4.
    """
    groups: dict[str | None, list[tuple[Plan, Episode]]] = {}
    for plan, episode in zip(plans, ground.rollout.collect(plans), strict=True):
        groups.setdefault(plan.group, []).append((plan, episode))
    kept: list[Episode] = []
    shown: list[Plan] = []
    for members in groups.values():
        solved = sum(_solves(episode, ground.learner, settings.solved_at) for _, episode in members)
        if gate(solved, len(members), settings.gate_count).demonstration:
            shown.append(members[0][0])
        else:
            kept += [episode for _, episode in members]
    examples = ground.demonstrate(shown, settings.teacher) if shown else []
    return Exploration(episodes=[*kept, *examples], metrics={"shown_share": len(shown) / max(len(groups), 1)})


def _solves(episode: Episode, learner: str, solved_at: float) -> bool:
    seats = learner_seats(episode, learner)
    return bool(seats) and all(episode.returns[seat] >= solved_at for seat in seats)
