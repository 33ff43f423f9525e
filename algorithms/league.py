"""Who plays whom, at what and from which seed: the episodes of one training step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from turnwise.agents.plan import Plan, make_plan
from turnwise.agents.sampling import derive_seeds
from turnwise.algorithms.games import Arm
from turnwise.algorithms.settings import RunSettings

LEARNER = "policy"
OPPONENT = "opponent"
_TRAINING = 1


class Pairing(NamedTuple):
    """What one group of episodes is played at, and by whom."""

    arm: Arm
    seat: str | None = None
    """The learner's; None where it holds every seat."""
    opponent: str = OPPONENT
    """Name of the agent in every other seat."""


def plan_step(settings: RunSettings, pairings: Sequence[Pairing], step: int, attempt: int = 0) -> list[Plan]:
    """The episodes of a step, a group for each pairing. They follow from the run's seed, the step and the pairings.

    attempt: above 0, as many other episodes of the same step, for those who throw some away.
    """
    size = settings.algorithm.group_size
    again = (attempt,) if attempt else ()
    name = f"{step}.{attempt}" if attempt else str(step)
    plans = []
    seatings: dict[tuple[str, str | None, str], dict[str, str]] = {}
    seeds = derive_seeds(settings.seed, _TRAINING, step, range(len(pairings)), *again)
    for group, ((arm, seat, opponent), seed) in enumerate(zip(pairings, seeds, strict=True)):
        seats = seatings.get((arm.name, seat, opponent))
        if seats is None:
            seats = {held: LEARNER if seat in (None, held) else opponent for held in arm.seats}
            seatings[arm.name, seat, opponent] = seats
        plans += [
            make_plan(
                id=f"{name}-{group * size + member}",
                env_id=arm.id,
                env_kwargs=arm.kwargs,
                seed=seed,
                stream=member,
                group=f"{name}-{group}",
                seats=seats,
            )
            for member in range(size)
        ]
    return plans
