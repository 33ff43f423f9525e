"""What a game that stands for another one has to say of itself: the other's declarations, copied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnwise.envs.core import TextGame

DECLARATIONS = (
    "seats",
    "zero_sum",
    "utility_bounds",
    "simultaneous",
    "can_clone",
    "has_ground_truth",
    "has_anchor",
    "has_board",
    "has_secrets",
    "has_solution",
    "dense_rewards",
    "levels",
    "task",
    "level",
)
"""Every attribute of a `TextGame` that is data, but `seat`."""


def declarations(game: TextGame) -> dict[str, Any]:
    """The declarations of a game as they are now."""
    return {name: getattr(game, name) for name in DECLARATIONS}


def declare(game: TextGame, declared: Mapping[str, Any]) -> None:
    """Make `game` declare what another one does."""
    for name, value in declared.items():
        setattr(game, name, value)
