"""MiniGrid and BabyAI."""

from __future__ import annotations

from turnwise.envs.minigrid.names import LEVELS, game_id
from turnwise.envs.spec import GameSpec

SPECS = tuple(
    GameSpec(
        id=game_id(level),
        entry_point="turnwise.envs.minigrid.game:MiniGridGame",
        kwargs={"level_id": level},
        requires=(("minigrid", "turnwise[minigrid]"),),
        summary=f"{level} of {'BabyAI' if level.startswith('BabyAI') else 'MiniGrid'}, told in words.",
        family="minigrid",
    )
    for level in LEVELS
)
