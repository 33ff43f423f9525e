"""The games by id: `GAMES`, `make_game`, and their registration with Gymnasium. Nothing is imported before its use."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from turnwise.envs.core import TextGame


class UnknownEnv(ValueError):
    """No environment has this id."""


class MissingDependency(ImportError):
    """An environment needs a package that is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GameSpec:
    """How to make one registered game."""

    id: str
    entry_point: str
    """`module:name` of a class or function that returns a `TextGame`."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Default arguments; the caller's win."""
    requires: tuple[tuple[str, str], ...] = ()
    """(module that must import, what to pip-install) of everything beyond numpy."""
    summary: str = ""


_OPEN_SPIEL = (("pyspiel", "open-spiel"),)

_SPECS = (
    GameSpec(
        id="KuhnPoker-LLM",
        entry_point="turnwise.envs.openspiel:kuhn_poker",
        requires=_OPEN_SPIEL,
        summary="Three cards, one bet: the smallest poker that needs bluffing.",
    ),
    GameSpec(
        id="TicTacToe-LLM",
        entry_point="turnwise.envs.openspiel:tic_tac_toe",
        requires=_OPEN_SPIEL,
        summary="Three in a row on a board of nine cells.",
    ),
    GameSpec(
        id="LeducPoker-LLM",
        entry_point="turnwise.envs.openspiel:leduc_poker",
        requires=_OPEN_SPIEL,
        summary="Six cards, two rounds of betting, one public card.",
    ),
    GameSpec(
        id="ConnectFour-LLM",
        entry_point="turnwise.envs.openspiel:connect_four",
        requires=_OPEN_SPIEL,
        summary="Four in a row on a board of six rows and seven columns.",
    ),
    GameSpec(
        id="LiarsDice-LLM",
        entry_point="turnwise.envs.openspiel:liars_dice",
        requires=_OPEN_SPIEL,
        summary="Rising bids on hidden dice, until someone calls the bluff.",
    ),
    GameSpec(
        id="Nim-LLM",
        entry_point="turnwise.envs.openspiel:nim",
        requires=_OPEN_SPIEL,
        summary="Take objects from one pile at a time.",
    ),
    GameSpec(
        id="SimpleNegotiation-LLM",
        entry_point="turnwise.envs.negotiation:SimpleNegotiation",
        summary="Two seats trade wood and gold in free text, each with prices of its own.",
    ),
)

GAMES: dict[str, GameSpec] = {spec.id: spec for spec in _SPECS}


def find_spec(env_id: str) -> GameSpec:
    """The record of an id (a leading `turnwise:` is allowed). Raises UnknownEnv, with the nearest id."""
    name = env_id.removeprefix("turnwise:")
    if name in GAMES:
        return GAMES[name]
    by_case = {known.casefold(): known for known in GAMES}
    near = difflib.get_close_matches(name.casefold(), by_case, n=1, cutoff=0.5)
    hint = f"did you mean {by_case[near[0]]!r}?" if near else f"known ids: {', '.join(sorted(GAMES))}"
    raise UnknownEnv(f"no environment is called {env_id!r}; {hint}")


def make_game(env_id: str, **kwargs: Any) -> TextGame:
    """A new game, not started. Raises UnknownEnv, MissingDependency, and what the game raises on its arguments."""
    spec = find_spec(env_id)
    for module, package in spec.requires:
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            raise MissingDependency(
                f"{spec.id} needs the package {package!r}, which is not installed: pip install {package}"
            ) from error
    module, _, name = spec.entry_point.partition(":")
    game = getattr(import_module(module), name)(**{**spec.kwargs, **kwargs})
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
            register(spec.id, entry_point="turnwise.envs.gym_view:TextGameEnv", kwargs={"game": spec.id})
