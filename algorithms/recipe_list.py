"""What a recipe is made of: its paper, its parts, and what it needs. Read without torch and without Hydra."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from turnwise.algorithms.build import SettingsError, build
from turnwise.algorithms.compose import option_text
from turnwise.algorithms.needs import NEEDS, needs_of
from turnwise.algorithms.recipes import AlgorithmSettings

ALWAYS = ("agent/self_play", "curriculum/none")
"""Options that every recipe is laid upon; some name values of theirs."""
INDENT = 23


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe with the settings that its file gives it."""

    name: str
    summary: str
    """One line."""
    settings: AlgorithmSettings
    curriculum: bool
    """Whether it brings a curriculum over games or levels."""

    def parts(self) -> dict[str, Any]:
        """Stage -> name of the part, or names in their order."""
        recipe = self.settings
        return {
            "explore": recipe.explore,
            "rewards": list(recipe.rewards),
            "credit": recipe.credit,
            "shapings": list(recipe.shapings),
            "ratio": recipe.objective.ratio,
            "guard": recipe.objective.guard,
            "corrections": list(recipe.objective.corrections),
            "aggregate": recipe.objective.aggregation,
        }

    def extras(self) -> list[str]:
        """What stands beside the parts."""
        recipe = self.settings
        said = {
            f"groups of {recipe.group_size}": recipe.group_size > 1,
            f"critic {recipe.critic.kind}": recipe.critic.kind != "none",
            "replay": recipe.replay.turns > 0,
            "noise on the layers": recipe.noise is not None,
            "curriculum": self.curriculum,
        }
        return [text for text, holds in said.items() if holds]

    def needs(self) -> dict[str, list[str]]:
        """Names out of `NEEDS`: what the environment must offer, and what the run works out or must be set to."""
        names = needs_of(self.settings)
        ordered = [name for name in NEEDS if name in names]
        return {
            "environment": [name for name in ordered if NEEDS[name].of_game is not None],
            "run": [name for name in ordered if NEEDS[name].of_game is None],
        }

    def to_dict(self) -> dict[str, Any]:
        """Fit for JSON."""
        recipe = self.settings
        return {
            "name": self.name,
            "summary": self.summary,
            "cite": recipe.cite,
            "parts": self.parts(),
            "group_size": recipe.group_size,
            "critic": recipe.critic.kind,
            "replay": recipe.replay.turns > 0,
            "noise": recipe.noise is not None,
            "curriculum": self.curriculum,
            "needs": self.needs(),
        }


def read_recipe(name: str, summary: str) -> Recipe:
    """The recipe of an option of the group `algorithm`. Raises SettingsError, naming it, where it does not fit."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        merged: Any = OmegaConf.merge(
            *(layer for option in (*ALWAYS, f"algorithm/{name}") for layer in _layers(option))
        )
        settings = build(AlgorithmSettings, OmegaConf.to_container(merged.algorithm, resolve=True), "algorithm")
    except (SettingsError, OmegaConfBaseException) as error:
        raise SettingsError(f"the recipe {name} cannot be read: {' '.join(str(error).split())}") from None
    return Recipe(name=name, summary=summary, settings=settings, curriculum=merged.curriculum is not None)


@functools.cache
def _layers(option: str) -> tuple[Any, ...]:
    """What an option's file says, after all that its list of defaults lays below it. To be read only."""
    from omegaconf import OmegaConf

    group, _, name = option.partition("/")
    said: Any = OmegaConf.create(option_text(group, name))
    below = [_place(default, group) for default in said.pop("defaults", []) if default != "_self_"]
    return (*(layer for place in below for layer in _layers(place)), said)


def _place(default: str | Mapping[str, str], group: str) -> str:
    """`grpo` -> a neighbour of the same group; `/objective: x`, `override /curriculum: x` -> that group's option."""
    if isinstance(default, str):
        return f"{group}/{default}"
    ((key, name),) = default.items()
    return f"{key.removeprefix('override ').removeprefix('/')}/{name}"


def lines(recipe: Recipe) -> list[str]:
    """Name and summary, the paper, and parts with needs."""
    parts = [f"{stage} {_joined(part)}" for stage, part in recipe.parts().items() if part]
    needs = [f"{', '.join(names)} ({where})" for where, names in recipe.needs().items() if names]
    said = ", ".join([*parts, *recipe.extras()]) + (f" | needs {'; '.join(needs)}" if needs else "")
    return [
        f"{recipe.name:{INDENT - 1}} {recipe.summary}",
        *(" " * INDENT + text for text in (recipe.settings.cite, said)),
    ]


def _joined(part: str | Iterable[str]) -> str:
    return part if isinstance(part, str) else " + ".join(part)


def legend(recipes: Iterable[Recipe]) -> list[str]:
    """What the names of their needs mean."""
    used = {name for recipe in recipes for names in recipe.needs().values() for name in names}
    return [f"needs {name:18} {NEEDS[name].text}" for name in NEEDS if name in used]
