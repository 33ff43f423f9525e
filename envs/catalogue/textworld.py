"""TextWorld."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

_KINDS = {
    "CoinCollector": ("coin_collector", "Walk through rooms until you find the coin."),
    "TreasureHunter": ("treasure_hunter", "Find one thing in a maze of rooms, doors and locked boxes."),
    "Cooking": ("cooking", "Gather the ingredients of a recipe, prepare them, eat the meal."),
    "Simple": ("simple", "Get out of the bedroom and put the dinner on the stove."),
    "Custom": ("custom", "A house with so many rooms, things and steps to the goal; or a game file of yours."),
}

SPECS = tuple(
    GameSpec(
        id=f"TextWorld/{name}-LLM",
        entry_point=f"turnwise.envs.textworld:{function}",
        requires=(("textworld", "turnwise[textworld]"),),
        summary=summary,
        family="textworld",
        slow=True,
    )
    for name, (function, summary) in _KINDS.items()
)
