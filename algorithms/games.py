"""The games of one run: which they are, and what a group of episodes can be played at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from turnwise.algorithms.build import nearest
from turnwise.envs.core import TextGame
from turnwise.envs.registry import arguments_of, make_game
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class GameSettings:
    """One game of a run."""

    id: str
    """Id of the environment."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the game."""
    levels: tuple[str, ...] = ()
    """Levels that are played; none named: the one in `kwargs`, or with a curriculum every level of the game."""

    def __post_init__(self) -> None:
        require_game(self.id, self.kwargs, self.levels, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What a group of episodes can be played at: a game, or one level of it."""

    name: str
    """The game's id, with `:level` behind it where the run names levels."""
    id: str
    kwargs: Mapping[str, Any]
    """All arguments of the game, the level among them."""
    seats: tuple[str, ...]


def require_game(env_id: str, kwargs: Mapping[str, Any], levels: Sequence[str], key: str) -> TextGame:
    """The game. Raises ValueError, naming the setting after `key`, where arguments or levels are not the game's."""
    try:
        game = make_game(env_id, **kwargs)
    except TypeError as error:
        strange = [name for name in kwargs if name not in (known := arguments_of(env_id))]
        hint = f"; {nearest(strange[0], known)}" if strange else ""
        raise ValueError(f"{key}kwargs does not fit {env_id}: {error}{hint}") from None
    if len(set(levels)) < len(levels):
        raise ValueError(f"{key}levels names each level once: got {', '.join(levels)}")
    strange = [level for level in levels if level not in game.levels]
    if strange and not game.levels:
        raise ValueError(f"{env_id} has no levels: got {key}levels={', '.join(strange)}; leave them out")
    if strange:
        raise ValueError(f"{key}levels of {env_id} are {', '.join(game.levels)}: got {', '.join(strange)}")
    return game


def arms_of(games: Sequence[GameSettings], *, every_level: bool) -> list[Arm]:
    """All that is played, in the order of the settings. every_level: a game that names no levels is played at all."""
    arms = []
    for one in games:
        game = make_game(one.id, **one.kwargs)
        levels = one.levels or (game.levels if every_level else ())
        for level in levels:
            kwargs = {**one.kwargs, "level": level}
            arms.append(Arm(name=f"{one.id}:{level}", id=one.id, kwargs=kwargs, seats=game.seats))
        if not levels:
            arms.append(Arm(name=one.id, id=one.id, kwargs=one.kwargs, seats=game.seats))
    return arms


def arm_of(episode: Episode, arms: Sequence[Arm]) -> Arm:
    """The arm that an episode of a run was played at."""
    return next(arm for arm in arms if arm.id == episode.env_id and arm.kwargs == episode.env_kwargs)


def of_game(figures: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The figures under the name of their game: `not_lost/random` -> `not_lost/<name>/random`; as they are without."""
    if not name:
        return dict(figures)
    heads = ((measure.partition("/"), value) for measure, value in figures.items())
    return {f"{head}/{name}{slash}{rest}": value for (head, slash, rest), value in heads}
