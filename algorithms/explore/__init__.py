"""How are the episodes of a step sampled? One file per answer; `EXPLORERS` finds them by name.

Every way has a frozen settings record and one function of one signature,
`explore(plans, ground, settings, state) -> Exploration`, and says what it needs.
"""

from __future__ import annotations

from turnwise.algorithms.explore import (
    arpo,
    demonstrate,
    dynamic,
    independent,
    pav,
    spo_chain,
    spo_tree,
    windows,
)
from turnwise.algorithms.explore.branching import BranchingSettings
from turnwise.algorithms.explore.ground import Exploration, Ground
from turnwise.algorithms.method import Method, Registry

__all__ = ["EXPLORERS", "Exploration", "Ground"]


EXPLORERS: Registry[Exploration] = Registry(
    "explore",
    {
        "independent": Method(independent.IndependentSettings, independent.explore),
        "dynamic": Method(dynamic.DynamicSettings, dynamic.explore, ("groups",)),
        "demonstrate": Method(
            demonstrate.DemonstrateSettings, demonstrate.explore, ("groups", "solution"), players=demonstrate.players
        ),
        "arpo": Method(BranchingSettings, arpo.explore, ("groups", "topk_entropy"), check=arpo.check),
        "aepo": Method(arpo.AEPOSettings, arpo.explore, ("groups", "topk_entropy"), check=arpo.check),
        "spo_chain": Method(spo_chain.SPOChainExploreSettings, spo_chain.explore, fills=("branches",)),
        "spo_tree": Method(spo_tree.SPOTreeExploreSettings, spo_tree.explore),
        "pav": Method(pav.PAVExploreSettings, pav.explore, fills=("branches",), players=pav.players),
        "windows": Method(windows.WindowsSettings, windows.explore),
    },
)
