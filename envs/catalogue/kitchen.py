"""The cooperative kitchen."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

SPECS = (
    GameSpec(
        id="Kitchen-LLM",
        entry_point="turnwise.envs.kitchen.game:KitchenGame",
        summary="two to four cooks serve onion soup together, all moving at once",
        family="kitchen",
    ),
)
