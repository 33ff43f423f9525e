"""Who plays whom, from which seed: the episodes of one training step."""

from __future__ import annotations

from collections.abc import Sequence

from turnwise.agents.plan import Plan
from turnwise.agents.sampling import derive_seed
from turnwise.algorithms.settings import RunSettings

LEARNER = "policy"
OPPONENT = "opponent"
_TRAINING = 1


def plan_step(settings: RunSettings, seats: Sequence[str], step: int, attempt: int = 0) -> list[Plan]:
    """The episodes of a step. They follow from the run's seed and the step alone, so a resumed run plays the same ones.

    Self-play: the policy sits everywhere. With a fixed opponent the policy's seat moves on from group to group.
    attempt: above 0, as many other episodes of the same step, for those who throw some away.
    """
    size = settings.algorithm.group_size
    alone = settings.agent.opponent == "self"
    again = (attempt,) if attempt else ()
    plans = []
    for index in range(settings.games_per_step):
        group, member = divmod(index, size)
        mine = None if alone else (step * settings.games_per_step // size + group) % len(seats)
        name = f"{step}.{attempt}" if attempt else str(step)
        plans.append(
            Plan(
                id=f"{name}-{index}",
                env_id=settings.env.id,
                env_kwargs=settings.env.kwargs,
                seed=derive_seed(settings.seed, _TRAINING, step, group, *again),
                stream=member,
                group=f"{name}-{group}",
                seats={seat: LEARNER if mine in (None, i) else OPPONENT for i, seat in enumerate(seats)},
            )
        )
    return plans
