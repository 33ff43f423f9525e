"""How states of OpenSpiel are begun, moved and replayed: the only places where one is made or changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from turnwise.envs.openspiel.mean_field import settle
from turnwise.envs.openspiel.texts import SpielGame, SpielState


def initial_state(game: SpielGame) -> SpielState:
    """A new state before anything has happened. The process-wide generator is left as it was: a game written in
    Python may seed it here (OpenSpiel's ant foraging does)."""
    if not game.get_type().short_name.startswith("python_"):
        return game.new_initial_state()
    kept = np.random.get_state()  # noqa: NPY002  # only kept and put back
    try:
        return game.new_initial_state()
    finally:
        np.random.set_state(kept)  # noqa: NPY002


def advance(state: SpielState, action: int) -> None:
    """Take a legal action of a player or of chance, in place."""
    state.apply_action(action)
    settle(state)


def replay(game: SpielGame, history: Sequence[int]) -> SpielState:
    """The state of `game` after these actions, chance included."""
    state = initial_state(game)
    for action in history:
        advance(state, action)
    return state
