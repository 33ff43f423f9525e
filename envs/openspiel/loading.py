"""How games of OpenSpiel are made and looked at."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pyspiel

from turnwise.envs.openspiel.positions import Positions
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, is_open, moves_at_once

SAMPLED = pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC
"""Chance mode of the games that draw chance inside the game object instead of showing it as a state."""
SEED = "rng_seed"
"""The parameter that seeds such a game."""


def load(name: str, parameters: Mapping[str, Any]) -> SpielGame:
    """The game of OpenSpiel, turned into a turn-based one if seats move at once. Raises ValueError."""
    _import_python_games(f"{name} {parameters}")
    values = _typed(name, parameters)
    try:
        game = pyspiel.load_game(name, values)
    except (pyspiel.SpielError, TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        raise ValueError(f"OpenSpiel cannot make {name} with {dict(parameters)}: {str(error).strip()}") from None
    if game.get_type().dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS:
        return pyspiel.convert_to_turn_based(game)
    return game


def _import_python_games(text: str) -> None:
    """Register OpenSpiel's games in Python, half a second's work, where a name asks for one."""
    if "python_" in text or "chat_game" in text:
        import open_spiel.python.games  # noqa: F401  # importing registers


def _typed(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters in OpenSpiel's types. Raises ValueError for a name that it does not know."""
    known = _parameters_of(name)
    unknown = [key for key in parameters if key not in known]
    if unknown:
        raise ValueError(
            f"OpenSpiel cannot make {name} with {', '.join(unknown)}: its parameters are {', '.join(known) or 'none'}"
        )
    return {key: _as(value, known[key]) for key, value in parameters.items()}


def _parameters_of(name: str) -> dict[str, Any]:
    """Parameter -> default of a game. Raises ValueError where OpenSpiel has no such game."""
    for kind in pyspiel.registered_games():
        if kind.short_name == name:
            return dict(kind.parameter_specification)
    raise ValueError(f"OpenSpiel cannot make {name}: it has no such game")


def _as(value: Any, default: Any) -> Any:
    """`value` as the type of OpenSpiel's default: a whole number may stand for a float, a text for a game."""
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, dict) and isinstance(value, str):
        try:
            return pyspiel.game_parameters_from_string(value)
        except pyspiel.SpielError as error:
            raise ValueError(f"OpenSpiel cannot read the game {value!r}: {str(error).strip()}") from None
    return value


def make_positions(
    name: str,
    parameters: tuple[tuple[str, Any], ...],
    texts: GameTexts,
    compact: bool,
    show_legal_moves: bool,
    *,
    rng_seed: int | None = None,
) -> Positions:
    """Positions of a game that is made anew. `rng_seed` is for games whose chance is `SAMPLED`."""
    game = load(name, dict(parameters) | ({} if rng_seed is None else {SEED: rng_seed}))
    shared = game.get_type().chance_mode != SAMPLED
    if not shared and SEED not in _parameters_of(name):
        raise ValueError(f"OpenSpiel draws the chance of {game} inside the game and takes no seed: it cannot be played")
    return Positions(game, texts, compact=compact, show_legal_moves=show_legal_moves, shared=shared)


shared_positions = lru_cache(maxsize=64)(make_positions)
"""The same positions for every episode of the same game in the same wording: they are facts, not state."""


def has_view(game: SpielGame) -> bool:
    """Whether `view` names a state, as far as a player can tell states apart.

    An observation without memory does so only where nothing is hidden. Moving at once hides nothing but the answers of
    the moment, so that the game counts that was turned into a turn-based one.
    """
    kind = game.get_type()
    if kind.provides_information_state_string:
        return True
    if moves_at_once(game):
        inner = pyspiel.load_game(pyspiel.game_parameters_to_string(game.get_parameters()["game"]))
        return bool(kind.provides_observation_string and is_open(inner))
    return bool(kind.provides_observation_string and is_open(game))


def view(game: SpielGame, state: SpielState) -> str:
    """What the player to act knows, in OpenSpiel's words: the observation says it all with perfect information."""
    kind = game.get_type()
    if kind.provides_observation_string and (is_open(game) or not kind.provides_information_state_string):
        return str(state.observation_string())
    return str(state.information_state_string())
