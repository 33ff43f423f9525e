"""How games of OpenSpiel are made, replayed and looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyspiel

from turnwise.envs.openspiel.positions import Positions
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState

SAMPLED = pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC
"""Chance mode of the games that draw chance inside the game object instead of showing it as a state."""


def load(name: str, parameters: Mapping[str, Any]) -> SpielGame:
    """The game of OpenSpiel, turned into a turn-based one if seats move at once. Raises ValueError."""
    try:
        game = pyspiel.load_game(name, dict(parameters))
    except (pyspiel.SpielError, TypeError) as error:
        raise ValueError(f"OpenSpiel cannot make {name} with {dict(parameters)}: {str(error).strip()}") from None
    if game.get_type().dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS:
        return pyspiel.convert_to_turn_based(game)
    return game


def make_positions(
    name: str,
    parameters: tuple[tuple[str, Any], ...],
    texts: GameTexts,
    compact: bool,
    show_legal_moves: bool,
    *,
    rng_seed: int | None = None,
    game: SpielGame = None,
) -> Positions:
    """Positions of a game that is made anew, or of `game`. `rng_seed` is for games whose chance is `SAMPLED`."""
    if game is None:
        game = load(name, dict(parameters) | ({} if rng_seed is None else {"rng_seed": rng_seed}))
    shared = game.get_type().chance_mode != SAMPLED
    return Positions(game, texts, compact=compact, show_legal_moves=show_legal_moves, shared=shared)


shared_positions = lru_cache(maxsize=64)(make_positions)
"""The same positions for every episode of the same game in the same wording: they are facts, not state."""


def replay(game: SpielGame, history: Sequence[int]) -> SpielState:
    """The state of `game` after these actions, chance included."""
    state = game.new_initial_state()
    for action in history:
        state.apply_action(action)
    return state


def view(game: SpielGame, state: SpielState) -> str:
    """What the player to act knows, in OpenSpiel's words: the observation says it all with perfect information."""
    kind = game.get_type()
    perfect = kind.information == pyspiel.GameType.Information.PERFECT_INFORMATION
    if kind.provides_observation_string and (perfect or not kind.provides_information_state_string):
        return str(state.observation_string())
    return str(state.information_state_string())
