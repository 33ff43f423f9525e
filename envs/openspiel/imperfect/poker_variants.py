"""Settings of universal poker under short names, and what they must keep to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    # One private card of 24, one public card, pot-sized bets: OpenSpiel's own default.
    "small": {},
    # The same cards with fixed raises.
    "small limit": {"betting": "limit", "raiseSize": "100 200", "maxRaises": "2 2"},
    # Texas hold'em for two: ten big blinds each, raises of the pot or all chips.
    "holdem": {
        "betting": "nolimit",
        "blind": "1 2",
        "firstPlayer": "1 2 2 2",
        "numRounds": 4,
        "numHoleCards": 2,
        "numBoardCards": "0 3 1 1",
        "numRanks": 13,
        "stack": "20 20",
    },
    # Texas hold'em for two with fixed raises.
    "limit holdem": {
        "betting": "limit",
        "blind": "1 2",
        "firstPlayer": "1 2 2 2",
        "raiseSize": "2 2 4 4",
        "maxRaises": "3 4 4 4",
        "numRounds": 4,
        "numHoleCards": 2,
        "numBoardCards": "0 3 1 1",
        "numRanks": 13,
    },
}
"""Name -> parameters where they differ from OpenSpiel's."""
SUITS_IN_CODE = 4
"""OpenSpiel codes a card as rank times 4 plus suit: other decks go wrong in it."""
SUBGAME = ("potSize", "boardCards", "handReaches", "calcOddsNumSims")
"""Parameters that begin in the middle of a hand, which these texts do not tell."""


def settings(variant: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a variant with changes. Raises ValueError on what cannot be played in words."""
    if variant not in VARIANTS:
        raise ValueError(f"variant is one of {', '.join(VARIANTS)}: got {variant!r}")
    refused = [name for name in SUBGAME if changes.get(name)]
    if refused:
        raise ValueError(f"universal_poker is played from the deal on here: leave {', '.join(refused)} out")
    chosen = {**VARIANTS[variant], **changes}
    if chosen.get("numSuits", SUITS_IN_CODE) != SUITS_IN_CODE:
        raise ValueError(f"universal_poker needs numSuits=4, as OpenSpiel codes cards: got {chosen['numSuits']}")
    if chosen.get("betting") == "limit" and chosen.get("bettingAbstraction", "fcpa") != "fcpa":
        raise ValueError("limit betting needs bettingAbstraction='fcpa': it has one size of raise")
    return chosen
