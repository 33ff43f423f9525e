"""The games by id: `GAMES`, `make_game`, and their registration with Gymnasium. Nothing is imported before its use."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, cast

from turnwise.envs.catalogue import SPECS
from turnwise.envs.core import TextGame
from turnwise.envs.plugins import find_plugin, load_plugin, plugin_specs, read_plugins
from turnwise.envs.requirements import require
from turnwise.envs.spec import GameSpec


class UnknownEnv(ValueError):
    """No environment has this id."""


PLUGINS = read_plugins([spec.id for spec in SPECS])
"""What installed packages declare, refused or not. Nothing of them is imported yet."""
GAMES: dict[str, GameSpec] = {spec.id: spec for spec in (*SPECS, *plugin_specs(PLUGINS))}
"""Every known game by its id."""

COMMON = frozenset({"history", "summarizer", "worker", "deadline_s", "start_deadline_s"})
"""Arguments that `make_game` takes for every game."""


def find_spec(env_id: str) -> GameSpec:
    """The record of an id (a leading `turnwise:` is allowed). Raises UnknownEnv, with the nearest id."""
    name = env_id.removeprefix("turnwise:")
    if name in GAMES:
        return GAMES[name]
    plugin = find_plugin(PLUGINS, name)
    if plugin is not None:
        raise UnknownEnv(f"{name!r} of the package {plugin.package} is refused: {plugin.problem}")
    by_case = {known.casefold(): known for known in GAMES}
    near = difflib.get_close_matches(name.casefold(), by_case, n=1, cutoff=0.5)
    hint = f"did you mean {by_case[near[0]]!r}?" if near else f"`turnwise list envs` prints all {len(GAMES)} ids"
    raise UnknownEnv(f"no environment is called {env_id!r}; {hint}")


def make_game(env_id: str, **kwargs: Any) -> TextGame:
    """A new game, not started. Raises UnknownEnv, MissingDependency, and what the game raises on its arguments.

    Every game also takes `history` (and `summarizer`: see `WithHistory`), and `worker`: whether it lives in a worker
    process (default: only if its spec is slow), where `deadline_s` and `start_deadline_s` hold (see `RemoteGame`). An
    argument that the game itself has under one of these names is the game's.
    """
    spec = find_spec(env_id)
    require(spec.id, spec.requires)
    maker = _maker(spec)
    own, common = _apart(maker, {**spec.kwargs, **kwargs})
    game = _make(spec, maker, own, common)
    history, summarizer = common.get("history", "news"), common.get("summarizer")
    if history == "news" and summarizer is None:
        return game
    from turnwise.envs.history import WithHistory

    return WithHistory(game, history, summarizer=summarizer)


def _maker(spec: GameSpec) -> Callable[..., Any]:
    """The class or function that makes a game. Raises PluginError where a plugin's cannot be loaded."""
    plugin = find_plugin(PLUGINS, spec.id)
    if plugin is not None:
        return cast("Callable[..., Any]", load_plugin(plugin))
    module, _, name = spec.entry_point.partition(":")
    return cast("Callable[..., Any]", getattr(import_module(module), name))


def arguments_of(env_id: str) -> list[str]:
    """Names of the arguments that a game takes. Raises UnknownEnv, MissingDependency."""
    spec = find_spec(env_id)
    require(spec.id, spec.requires)
    named = inspect.signature(_maker(spec)).parameters.values()
    return sorted({one.name for one in named if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)} | COMMON)


def _apart(maker: Callable[..., Any], kwargs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The game's own arguments, and those that every game takes."""
    if not COMMON & kwargs.keys():
        return kwargs, {}
    common = (COMMON - inspect.signature(maker).parameters.keys()) & kwargs.keys()
    own = {name: value for name, value in kwargs.items() if name not in common}
    return own, {name: kwargs[name] for name in common}


def _make(spec: GameSpec, maker: Callable[..., Any], kwargs: dict[str, Any], common: Mapping[str, Any]) -> TextGame:
    """The game here or in a worker. Raises TypeError where the entry point makes something else."""
    worker = common.get("worker")
    if spec.slow if worker is None else worker:
        from turnwise.envs.workers import RemoteGame

        deadlines = {name: common[name] for name in ("deadline_s", "start_deadline_s") if name in common}
        return RemoteGame(spec.entry_point, kwargs, **deadlines)
    game = maker(**kwargs)
    if not isinstance(game, TextGame):
        raise TypeError(f"{spec.entry_point} must return a TextGame: got {type(game).__name__}")
    return game


def as_game(game: str | TextGame, kwargs: Mapping[str, Any]) -> TextGame:
    """The game of an id, made with these arguments, or the game that was given. Raises TypeError for both at once."""
    if isinstance(game, str):
        return make_game(game, **kwargs)
    if kwargs:
        raise TypeError(f"a game that is already made takes no arguments: got {', '.join(kwargs)}")
    return game


def register_gymnasium() -> None:
    """Make every id known to `gymnasium.make`. Nothing of a game is imported; a second call changes nothing."""
    from gymnasium.envs.registration import register, registry

    for spec in GAMES.values():
        if spec.id not in registry:
            register(
                spec.id,
                entry_point="turnwise.envs.gym_view:TextGameEnv",
                vector_entry_point="turnwise.envs.vector:TextVectorEnv",
                kwargs={"game": spec.id},
            )
