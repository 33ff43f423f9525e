"""What is a turn worth? One file per answer; `CREDITS` finds them by name.

Every method has a frozen settings record, one function of one signature,
`credit(episodes, state, settings, learner="policy") -> CreditResult`, and says what it needs of the episodes.
Pure numbers in float64 on the host: no torch, no tokens, no model.
"""

from __future__ import annotations

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
from turnwise.algorithms.method import Method, Registry

__all__ = ["CREDITS", "CreditResult", "TurnCredit"]


CREDITS: Registry[CreditResult] = Registry(
    "credit",
    {
        "rae": Method(rae.RAESettings, rae.credit),
        "return": Method(returns.ReturnSettings, returns.credit),
        "grpo": Method(grpo.GRPOSettings, grpo.credit, ("groups",)),
        "rloo": Method(rloo.RLOOSettings, rloo.credit, ("groups",)),
        "igpo": Method(igpo.IGPOSettings, igpo.credit, ("groups", "ground_truth", "answer_logprob")),
        "arpo": Method(arpo.ARPOSettings, arpo.credit, ("groups",)),
        "spo_chain": Method(spo_chain.SPOChainSettings, spo_chain.credit, spo_chain.needs),
        "spo_tree": Method(spo_tree.SPOTreeSettings, spo_tree.credit, spo_tree.needs),
        "topr": Method(topr.TOPRSettings, topr.credit),
        "opmd": Method(rec.OPMDSettings, rec.credit, ("groups",)),
        "gae": Method(gae.GAESettings, gae.credit, gae.needs),
        "tppo": Method(tppo.TPPOSettings, tppo.credit, ("token_values",)),
        "rebn": Method(rebn.ReBNSettings, rebn.credit),
        "gigpo": Method(gigpo.GiGPOSettings, gigpo.credit, ("groups", "anchor")),
        "gdpo": Method(gdpo.GDPOSettings, gdpo.credit, ("groups", "reward_parts")),
        "canon": Method(canon.CANONSettings, canon.credit, canon.needs),
        "bnpo": Method(bnpo.BNPOSettings, bnpo.credit, bnpo.needs),
        "hapo": Method(hapo.HAPOSettings, hapo.credit, ("groups",)),
        "optimal_token_baseline": Method(
            optimal_token_baseline.OptimalTokenBaselineSettings,
            optimal_token_baseline.credit,
            ("groups", "train_logprobs", "squared_probs"),
        ),
    },
)
