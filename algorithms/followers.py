"""Copies of a model that stand beside it: a reference, a running mean, a whole copy of what is spread over ranks."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from turnwise.algorithms.sharding import local, whole

MEAN_POWER = 3
"""With 0 all updates count alike; the default Kuhn run gets to a NashConv of 0.15 in 100 steps instead of 300."""


def frozen_copy(model: Any) -> Any:
    """With weights of its own where the model's are trained; those that never move are shared."""
    still = {id(p): p for p in model.parameters() if not p.requires_grad}
    return copy.deepcopy(model, still).requires_grad_(False)


def share_kept(updates: int, most: float) -> float:
    """Share of a running mean of weights that an update keeps, in [0, most].

    A mean over few updates would hold on to where the run began: until `most` is reached it is one in which the k-th
    update counts about as k^MEAN_POWER.

    Args:
        updates: How many there were before.
        most: Share that is kept later on, in [0, 1): a mean over about 1 / (1 - most) updates.
    Source: Shamir & Zhang 2013, arXiv:1212.1824, polynomial-decay averaging.
    """
    return min(most, updates / (updates + 1 + MEAN_POWER))


def paired(follower: Any, model: Any) -> tuple[list[Tensor], list[Tensor]]:
    """The weights of a copy that follow, and those of the model that move."""
    pairs = zip(follower.parameters(), model.parameters(), strict=True)
    moving = [(mine, goal) for mine, goal in pairs if goal.requires_grad]
    return [mine for mine, _ in moving], [goal for _, goal in moving]


@torch.no_grad()
def pull(mine: list[Tensor], theirs: list[Tensor], distance: float) -> None:
    """Move weights this share of the way to others. All ranks call it, where these are spread over them."""
    if hasattr(theirs[0], "full_tensor") and not hasattr(mine[0], "full_tensor"):
        for part, goal in zip(mine, theirs, strict=True):
            part.lerp_(whole(goal), distance)
    else:
        torch._foreach_lerp_(local(mine), local(theirs), distance)


@torch.no_grad()
def fill(model: Any, weights: Iterable[tuple[str, Tensor]]) -> None:
    """Copy weights into the model's parameters of these names."""
    own = dict(model.named_parameters())
    for name, tensor in weights:
        own[name].copy_(tensor)
