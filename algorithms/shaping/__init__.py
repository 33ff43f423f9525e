"""What is made of finished advantages? One file per answer; `SHAPINGS` finds them by name.

A recipe applies them in its order. Every shaping has a frozen settings record, one function of one signature,
`shape(episodes, advantages, settings, learner="policy") -> (advantages, metrics)`, and says what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from turnwise.algorithms.credit.episodes import TurnCredit
from turnwise.algorithms.shaping import aspo_tool, entropy_aware

__all__ = ["SHAPINGS", "Shaping"]


class Shaping(NamedTuple):
    """A shaping: its settings record and its function."""

    settings: type[Any]
    function: Callable[..., tuple[TurnCredit, Mapping[str, float]]]
    needs: tuple[str, ...] = ()
    """Names out of `turnwise.algorithms.needs.NEEDS`."""


SHAPINGS: dict[str, Shaping] = {
    "aspo_tool": Shaping(aspo_tool.ASPOToolSettings, aspo_tool.shape, ("groups", "tool_calls")),
    "entropy_aware": Shaping(entropy_aware.EntropyAwareSettings, entropy_aware.shape, ("token_entropy",)),
}
