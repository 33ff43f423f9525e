"""What is paid? One file per term; `REWARDS` finds them by name, and a recipe applies them in its order.

Every term has a frozen settings record, one function of one signature,
`reward(episodes, state, settings, learner="policy") -> RewardResult`, and says what it needs of the episodes. It
changes the rewards of the learner's own seats in finished episodes and nothing else: a seat's return goes on to be the
sum of its turns' rewards and of what came outside of them, and `reward_parts` says what it is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from turnwise.algorithms.rewards import (
    format,
    kl,
    length,
    normalise,
    overlong,
    par,
    pav,
    scale,
    sparse,
    tool_bonus,
    toolrl,
)
from turnwise.algorithms.rewards.amounts import RewardResult

__all__ = ["REWARDS", "Reward", "RewardResult"]


class Reward(NamedTuple):
    """A reward term: its settings record and its function."""

    settings: type[Any]
    function: Callable[..., RewardResult]
    needs: tuple[str, ...] = ()
    """Names out of `turnwise.algorithms.needs.NEEDS`."""


REWARDS: dict[str, Reward] = {
    "overlong": Reward(overlong.OverlongSettings, overlong.reward),
    "format": Reward(format.FormatSettings, format.reward),
    "tool_bonus": Reward(tool_bonus.ToolBonusSettings, tool_bonus.reward, ("tool_calls",)),
    "kl": Reward(kl.KLSettings, kl.reward, ("train_logprobs", "reference_logprobs")),
    "length": Reward(length.LengthSettings, length.reward),
    "normalise": Reward(normalise.NormaliseSettings, normalise.reward),
    "par": Reward(par.PARSettings, par.reward, ("reference_returns",)),
    "toolrl": Reward(toolrl.ToolRLSettings, toolrl.reward, ("tool_calls", "reference_calls")),
    "pav": Reward(pav.PAVSettings, pav.reward, ("branches",)),
    "sparse": Reward(sparse.SparseSettings, sparse.reward),
    "scale": Reward(scale.ScaleSettings, scale.reward),
}
