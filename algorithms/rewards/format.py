"""A price on replies that could not be read, were illegal or were cut at the token limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.rewards.amounts import Extra, Extras, RewardResult, add_to_learner, own_turns
from turnwise.records import Episode

COUNTS = ("turns", "share", "last")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatSettings:
    """Settings of the price on bad replies."""

    weight: float = 0.1
    """Price in task units, >= 0."""
    count: str = "turns"
    """`turns`: every bad turn costs `weight`. `share`: all turns bad cost `weight` together. `last`: only a bad last
    turn costs, as where a malformed final answer gets less than a wrong one."""

    def __post_init__(self) -> None:
        require_between("weight", self.weight, 0.0)
        require_choice("count", self.count, COUNTS)


def reward(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: FormatSettings, learner: str = "policy"
) -> RewardResult:
    """Take the price off the learner's turns whose status is not ok, at those turns. The state is always {}."""

    def extras(episode: Episode, seat: str) -> Extras:
        turns = own_turns(episode, seat)
        price = settings.weight / len(turns) if settings.count == "share" and turns else settings.weight
        counted = turns[-1:] if settings.count == "last" else turns
        return {"format": Extra({index: -price for index in counted if episode.turns[index].status != "ok"})}

    changed, metrics = add_to_learner(episodes, learner, extras)
    return RewardResult(changed, {}, metrics)
