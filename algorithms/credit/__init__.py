"""What is a turn worth? One file per answer; `CREDITS` finds them by name.

Every method has a frozen settings record, one function of one signature,
`credit(episodes, state, settings, learner="policy") -> CreditResult`, and says what it needs of the episodes.
Pure numbers in float64 on the host: no torch, no tokens, no model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from turnwise.algorithms.credit import (
    arpo,
    bnpo,
    canon,
    gae,
    gdpo,
    gigpo,
    grpo,
    hapo,
    igpo,
    optimal_token_baseline,
    rae,
    rebn,
    rec,
    returns,
    rloo,
    spo_chain,
    spo_tree,
    topr,
    tppo,
)
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
    "arpo": Credit(arpo.ARPOSettings, arpo.credit, ("groups",)),
    "spo_chain": Credit(spo_chain.SPOChainSettings, spo_chain.credit, spo_chain.needs),
    "spo_tree": Credit(spo_tree.SPOTreeSettings, spo_tree.credit, spo_tree.needs),
    "topr": Credit(topr.TOPRSettings, topr.credit),
    "opmd": Credit(rec.OPMDSettings, rec.credit, ("groups",)),
    "gae": Credit(gae.GAESettings, gae.credit, gae.needs),
    "tppo": Credit(tppo.TPPOSettings, tppo.credit, ("token_values",)),
    "rebn": Credit(rebn.ReBNSettings, rebn.credit),
    "gigpo": Credit(gigpo.GiGPOSettings, gigpo.credit, ("groups", "anchor")),
    "gdpo": Credit(gdpo.GDPOSettings, gdpo.credit, ("groups", "reward_parts")),
    "canon": Credit(canon.CANONSettings, canon.credit, canon.needs),
    "bnpo": Credit(bnpo.BNPOSettings, bnpo.credit, bnpo.needs),
    "hapo": Credit(hapo.HAPOSettings, hapo.credit, ("groups",)),
    "optimal_token_baseline": Credit(
        optimal_token_baseline.OptimalTokenBaselineSettings,
        optimal_token_baseline.credit,
        ("groups", "train_logprobs", "squared_probs"),
    ),
}
