"""What is made of finished advantages? One file per answer; `SHAPINGS` finds them by name.

A recipe applies them in its order. Every shaping has a frozen settings record, one function of one signature,
`shape(episodes, advantages, settings, learner="policy") -> (advantages, metrics)`, and says what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping

from turnwise.algorithms.credit.episodes import TurnCredit
from turnwise.algorithms.method import Method, Registry
from turnwise.algorithms.rewards.pav import PAVSettings
from turnwise.algorithms.shaping import aspo_tool, entropy_aware, pav

__all__ = ["SHAPINGS"]


SHAPINGS: Registry[tuple[TurnCredit, Mapping[str, float]]] = Registry(
    "shapings",
    {
        "aspo_tool": Method(aspo_tool.ASPOToolSettings, aspo_tool.shape, ("groups", "tool_calls")),
        "entropy_aware": Method(entropy_aware.EntropyAwareSettings, entropy_aware.shape, ("token_entropy",)),
        "pav": Method(PAVSettings, pav.shape, ("branches",)),
    },
)
