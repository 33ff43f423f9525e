"""REINFORCE leave-one-out: the baseline of a return is the mean of the others in its group."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from turnwise.algorithms.checks import require_choice
from turnwise.algorithms.credit.episodes import CreditResult
from turnwise.algorithms.credit.groups import (
    SINGLETONS,
    Floats,
    centred,
    credit_by_group,
    finite_rewards,
    for_groups_of_one,
    group_ids,
)
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class RLOOSettings:
    """Settings of leave-one-out."""

    singleton: str = "zero"
    """What a group of one gets: `zero`, its `raw` return, or an `error`."""

    def __post_init__(self) -> None:
        require_choice("singleton", self.singleton, SINGLETONS)


def leave_one_out(rewards: Sequence[float], group: Sequence[Hashable], *, singleton: str = "zero") -> Floats:
    """R_i less the mean of the others of its group = n / (n - 1) (R_i - mean).

    Args:
        rewards: [N] one per trajectory, in task units.
        group: [N] names; equal names compare with each other.
    Returns: [N] float64 in task units.
    Raises: ValueError on an unknown `singleton`, rewards that are not finite, a group of one with `singleton="error"`.
    Source: Ahmadian et al. 2024, arXiv:2402.14740, section 2.
    """
    require_choice("singleton", singleton, SINGLETONS)
    values = finite_rewards(rewards)
    ids = group_ids(group, len(values))
    sizes = np.bincount(ids)[ids]
    advantages = centred(values, ids) * sizes / np.maximum(sizes - 1, 1)
    return for_groups_of_one(advantages, values, ids, singleton)


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: RLOOSettings, learner: str = "policy"
) -> CreditResult:
    """The leave-one-out advantage of each seat's return on all of its turns. The state is always {}."""
    estimate = partial(leave_one_out, singleton=settings.singleton)
    return CreditResult(credit_by_group(episodes, learner, estimate), {})
