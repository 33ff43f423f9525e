"""Copies of a model that stand beside it: a reference, a running mean, a whole copy of what is spread over ranks."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from turnwise.algorithms.sharding import local, whole


def frozen_copy(model: Any) -> Any:
    """With weights of its own where the model's are trained; those that never move are shared."""
    still = {id(p): p for p in model.parameters() if not p.requires_grad}
    return copy.deepcopy(model, still).requires_grad_(False)


@torch.no_grad()
def pull(follower: Any, model: Any, distance: float) -> None:
    """Move a copy of a model this share of the way to it. All ranks call it, where the model is spread over them."""
    pairs = list(zip(follower.parameters(), model.parameters(), strict=True))
    mine, theirs = zip(*[pair for pair in pairs if pair[1].requires_grad], strict=True)
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
