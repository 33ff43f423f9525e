"""What the trainer or the environment wrote on the episodes before credit: read it, or say what is missing."""

from __future__ import annotations

import math
from typing import Any

from turnwise.records import Episode

FILLED_BY = {
    "value": "a critic per turn, or values by Monte Carlo",
    "token_values": "a critic per token",
    "end_values": "a critic, in the state where the episode was cut off",
    "token_entropy": "the trainer's scores before the update",
    "squared_probs": "the trainer's scores before the update",
    "train_logprobs": "the trainer's scores before the update",
    "reward_parts": "the reward terms of the recipe",
}
"""Field -> who fills it in."""


def of_turn(episode: Episode, index: int, name: str) -> Any:
    """Field `name` of turn `index`. Raises ValueError where it is None."""
    value = getattr(episode.turns[index], name)
    if value is None:
        raise _missing(name, f"turn {index} of episode {episode.id!r}")
    return value


def of_tokens(episode: Episode, index: int, name: str) -> tuple[float, ...]:
    """Field `name` of turn `index`, one finite float per completion token.

    Raises: ValueError where the field is None, or has no number or none that is finite at some token.
    """
    values: tuple[float | None, ...] = of_turn(episode, index, name)
    if None not in values and math.isfinite(sum(found := tuple(map(float, values)))):  # type: ignore[arg-type]
        return found
    for token, value in enumerate(values):
        if value is None or not math.isfinite(value):
            raise _missing(name, f"token {token} of turn {index} of episode {episode.id!r}", value)
    return found


def end_value(episode: Episode, seat: str) -> float:
    """Value of the state that the episode was cut off in, for `seat`, in task units. Raises ValueError if missing."""
    if episode.end_values is None or seat not in episode.end_values:
        raise _missing("end_values", f"seat {seat!r} of episode {episode.id!r}")
    return float(episode.end_values[seat])


def reward_part(episode: Episode, part: str, seat: str) -> float:
    """What `seat` got by reward term `part`, in task units. Raises ValueError if missing."""
    parts = episode.reward_parts or {}
    if part not in parts or seat not in parts[part]:
        known = f"; it has {', '.join(sorted(parts))}" if parts else ""
        raise _missing("reward_parts", f"part {part!r} for seat {seat!r} of episode {episode.id!r}{known}")
    return float(parts[part][seat])


def _missing(name: str, where: str, came: object = None) -> ValueError:
    return ValueError(
        f"the credit method needs {name}, a finite number: got {came} at {where}; {name} is filled in by "
        f"{FILLED_BY.get(name, 'the trainer')}: switch that on, or choose a method that does without"
    )
