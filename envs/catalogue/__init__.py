"""Every game that turnwise ships, one file per family: strings only, so that nothing is imported before its use."""

from __future__ import annotations

from turnwise.envs.catalogue import (
    alfworld,
    bandits,
    bridges,
    credit,
    kitchen,
    minigrid,
    openspiel,
    puzzles,
    python_tool,
    search,
    talk,
    textworld,
    words,
)
from turnwise.envs.spec import GameSpec

_FAMILIES = (
    openspiel,
    talk,
    words,
    puzzles,
    bandits,
    credit,
    kitchen,
    minigrid,
    textworld,
    alfworld,
    search,
    python_tool,
    bridges,
)

SPECS: tuple[GameSpec, ...] = tuple(spec for family in _FAMILIES for spec in family.SPECS)
