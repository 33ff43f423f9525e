"""What an environment can do, as data: `describe`. A recipe reads it to refuse what an environment cannot give."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import asdict, dataclass
from typing import Any

from turnwise.envs.core import TextGame
from turnwise.envs.plugins import find_plugin
from turnwise.envs.registry import PLUGINS, find_spec, make_game
from turnwise.envs.spec import GameSpec

FLAGS = (
    *("zero_sum", "simultaneous", "can_clone", "has_ground_truth", "has_anchor", "has_board", "has_secrets"),
    *("has_solution", "dense_rewards"),
)
"""Members of `TextGame` that are True or False."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """One environment, as it is made without arguments. Everything that only the game knows is None where it cannot
    be made here; `problem` says why.
    """

    id: str
    family: str
    summary: str
    slow: bool
    """Runs in a worker process, with deadlines."""
    package: str | None
    """The package of a plugin; None for turnwise's own."""
    installed: bool
    """Every package that it needs is."""
    problem: str | None = None
    seats: tuple[str, ...] | None = None
    utility_bounds: tuple[float | None, float | None] | None = None
    """(lowest, highest) return of a seat, in task units; None for a side without a bound."""
    levels: tuple[str, ...] | None = None
    tools: tuple[str, ...] | None = None
    """Names of the tools, as far as they are known before an episode."""
    flags: tuple[str, ...] | None = None
    """Those of `FLAGS` that are True."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with every flag by its name."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        held = plain.pop("flags")
        return {**plain, **{flag: None if held is None else flag in held for flag in FLAGS}}


def describe(env_id: str) -> Capabilities:
    """What an id can do; the game is made, in this process, and not started. Raises UnknownEnv."""
    spec = find_spec(env_id)
    plugin, absent = find_plugin(PLUGINS, spec.id), missing(spec)
    known: dict[str, Any] = {"id": spec.id, "family": spec.family, "summary": spec.summary, "slow": spec.slow}
    known |= {"package": plugin.package if plugin else None, "installed": not absent}
    if absent:
        return Capabilities(**known, problem=f"pip install {' '.join(map(repr, absent))}")
    try:
        game = make_game(spec.id, **({"worker": False} if spec.slow else {}))
    except Exception as error:  # a plugin may raise anything; the list goes on
        return Capabilities(**known, problem=f"{type(error).__name__}: {error}")
    return Capabilities(**known, **_told(game))


def _told(game: TextGame) -> dict[str, Any]:
    low, high = game.utility_bounds
    return {
        "seats": tuple(game.seats),
        "utility_bounds": (low if math.isfinite(low) else None, high if math.isfinite(high) else None),
        "levels": tuple(game.levels),
        "tools": tuple(str(tool["function"]["name"]) for tool in game.tools()),
        "flags": tuple(flag for flag in FLAGS if getattr(game, flag)),
    }


def missing(spec: GameSpec) -> list[str]:
    """What has to be pip-installed before the game can be made. Nothing is imported."""
    return [package for module, package in spec.requires if not _found(module)]


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
