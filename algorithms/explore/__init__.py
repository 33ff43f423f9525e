"""How are the episodes of a step sampled? One file per answer; `EXPLORERS` finds them by name.

Every way has a frozen settings record and one function of one signature,
`explore(plans, ground, settings, state) -> Exploration`, and says what it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

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

__all__ = ["EXPLORERS", "Exploration", "Explorer", "Ground"]


class Explorer(NamedTuple):
    """A way of sampling: its settings record and its function."""

    settings: type[Any]
    function: Callable[..., Exploration]
    needs: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = ()
    """Names out of `turnwise.algorithms.needs.NEEDS`, or a function of the settings that gives them."""


EXPLORERS: dict[str, Explorer] = {
    "independent": Explorer(independent.IndependentSettings, independent.explore),
    "dynamic": Explorer(dynamic.DynamicSettings, dynamic.explore, ("groups",)),
    "demonstrate": Explorer(demonstrate.DemonstrateSettings, demonstrate.explore, ("groups", "solution")),
    "arpo": Explorer(BranchingSettings, arpo.explore, ("groups", "topk_entropy")),
    "aepo": Explorer(arpo.AEPOSettings, arpo.explore, ("groups", "topk_entropy")),
    "spo_chain": Explorer(spo_chain.SPOChainExploreSettings, spo_chain.explore),
    "spo_tree": Explorer(spo_tree.SPOTreeExploreSettings, spo_tree.explore),
    "pav": Explorer(pav.PAVExploreSettings, pav.explore),
    "windows": Explorer(windows.WindowsSettings, windows.explore),
}
