"""TextWorld: generated text adventures, played in TextWorld's own interpreter. Needs `turnwise[textworld]`."""

from __future__ import annotations

from turnwise.envs.textworld.game import TextWorldGame
from turnwise.envs.textworld.kinds import coin_collector, cooking, custom, simple, treasure_hunter

__all__ = ["TextWorldGame", "coin_collector", "cooking", "custom", "simple", "treasure_hunter"]
