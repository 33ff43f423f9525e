"""What is paid? One file per term; `REWARDS` finds them by name, and a recipe applies them in its order.

Every term has a frozen settings record, one function of one signature,
`reward(episodes, state, settings, learner="policy") -> RewardResult`, and says what it needs of the episodes. It
changes the rewards of the learner's own seats in finished episodes and nothing else: a seat's return goes on to be the
sum of its turns' rewards and of what came outside of them, and `reward_parts` says what it is made of.
"""

from __future__ import annotations

from turnwise.algorithms.method import Method, Registry
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

__all__ = ["REWARDS", "RewardResult"]


REWARDS: Registry[RewardResult] = Registry(
    "rewards",
    {
        "overlong": Method(overlong.OverlongSettings, overlong.reward),
        "format": Method(format.FormatSettings, format.reward),
        "tool_bonus": Method(tool_bonus.ToolBonusSettings, tool_bonus.reward, ("tool_calls",)),
        "kl": Method(kl.KLSettings, kl.reward, ("train_logprobs", "reference_logprobs")),
        "length": Method(length.LengthSettings, length.reward),
        "normalise": Method(normalise.NormaliseSettings, normalise.reward),
        "par": Method(par.PARSettings, par.reward, ("reference_returns",)),
        "toolrl": Method(toolrl.ToolRLSettings, toolrl.reward, ("tool_calls", "reference_calls")),
        "pav": Method(pav.PAVSettings, pav.reward, ("branches",)),
        "sparse": Method(sparse.SparseSettings, sparse.reward, ("dense_rewards",)),
        "scale": Method(scale.ScaleSettings, scale.reward),
    },
)
