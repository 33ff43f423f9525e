"""How states of OpenSpiel are begun, moved and replayed: the only places where one is made or changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from turnwise.envs.openspiel.mean_field import settle
from turnwise.envs.openspiel.texts import SpielGame, SpielState


@contextmanager
def _generator_kept(game: SpielGame) -> Iterator[None]:
    """Put the process-wide generator back afterwards: a game written in Python may seed it whenever a state is made
    (OpenSpiel's ant foraging does)."""
    if not game.get_type().short_name.startswith("python_"):
        yield
        return
    kept = np.random.get_state()  # noqa: NPY002  # only kept and put back
    try:
        yield
    finally:
        np.random.set_state(kept)  # noqa: NPY002


def initial_state(game: SpielGame) -> SpielState:
    """A new state before anything has happened."""
    with _generator_kept(game):
        return game.new_initial_state()


def copy_state(state: SpielState) -> SpielState:
    """An independent copy."""
    with _generator_kept(state.get_game()):
        return state.clone()


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
