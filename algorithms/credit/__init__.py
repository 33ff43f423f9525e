"""What is a turn worth? One file per answer; `CREDITS` finds them by name.

Every method has a frozen settings record, one function of one signature,
`credit(episodes, state, settings, learner="policy") -> CreditResult`, and says what it needs of the episodes.
Pure numbers in float64 on the host: no torch, no tokens, no model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from turnwise.algorithms.credit import grpo, igpo, rae, returns, rloo
from turnwise.algorithms.credit.episodes import CreditResult, TurnCredit

__all__ = ["CREDITS", "Credit", "CreditResult", "TurnCredit"]


class Credit(NamedTuple):
    """A credit method: its settings record and its function."""

    settings: type[Any]
    function: Callable[..., CreditResult]
    needs: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = ()
    """Names out of `turnwise.algorithms.needs.NEEDS`, or a function from the settings to them."""

    def needs_with(self, settings: Any) -> tuple[str, ...]:
        """What the method needs of the episodes under these settings."""
        return self.needs(settings) if callable(self.needs) else self.needs


CREDITS: dict[str, Credit] = {
    "rae": Credit(rae.RAESettings, rae.credit),
    "return": Credit(returns.ReturnSettings, returns.credit),
    "grpo": Credit(grpo.GRPOSettings, grpo.credit, ("groups",)),
    "rloo": Credit(rloo.RLOOSettings, rloo.credit, ("groups",)),
    "igpo": Credit(igpo.IGPOSettings, igpo.credit, ("groups", "ground_truth", "answer_logprob")),
}
