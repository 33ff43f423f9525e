"""The recipe of a run with every value that is in effect, defaults included: what a reader needs to get its numbers."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from turnwise.algorithms.recipes import AlgorithmSettings

RECIPE = "recipe.json"
_OF_PARTS = ("explore_settings", "credit_settings", "rewards", "shapings")


def effective(algorithm: AlgorithmSettings) -> dict[str, Any]:
    """The recipe as plain values. `parts`: stage, name, needs and settings of every method, in the order of a step."""
    found = {name: value for name, value in asdict(algorithm).items() if name not in _OF_PARTS}
    for name in ("guard_settings", "corrections"):
        del found["objective"][name]
    found["parts"] = [
        {"stage": part.stage, "name": part.name, "needs": list(part.needs), "settings": asdict(part.settings)}
        for part in algorithm.parts()
    ]
    return found


def effective_text(algorithm: AlgorithmSettings) -> str:
    """The same as JSON."""
    return json.dumps(effective(algorithm), indent=1) + "\n"
