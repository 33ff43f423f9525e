"""`GameTexts`: what a game of OpenSpiel says, as pure functions of its state. One record and one file per game."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

SpielGame = Any
"""A `pyspiel.Game`."""
SpielState = Any
"""A `pyspiel.State`."""


def no_text(state: SpielState, player: int) -> str:
    """Nothing to say."""
    return ""


def no_secrets(state: SpielState, player: int) -> tuple[str, ...]:
    """Nothing to hide."""
    return ()


def no_lead_ins(game: SpielGame) -> tuple[str, ...]:
    """The lead-ins of a game that has none: the empty one."""
    return ("",)


def history_key(state: SpielState) -> Hashable:
    """The actions so far, chance included: true of every game, and merges nothing."""
    return tuple(state.history())


def is_open(game: SpielGame) -> bool:
    """Whether everybody sees everything: the board is all there is to know."""
    return bool(game.get_type().information.name == "PERFECT_INFORMATION")


def moves_at_once(game: SpielGame) -> bool:
    """Whether the seats of this game move at once, so that it was turned into one where they are asked in turn."""
    return bool(game.get_type().short_name == "turn_based_simultaneous_game")


def seat_name(player: int) -> str:
    """`player_0`, `player_1`, ..."""
    return f"player_{player}"


def moves(state: SpielState) -> list[tuple[int, int]]:
    """The (player, action) pairs of the players so far, chance left out."""
    return [(move.player, move.action) for move in state.full_history() if move.player >= 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class GameTexts:
    """The words of one game. Every function is pure, and a named function of a module (records are pickled)."""

    rules: Callable[[SpielGame], str]
    """The rules in plain English and how to answer. Read once by every seat."""
    action_name: Callable[[SpielState, int], str]
    """(state, legal action id) -> its name, one name per legal action of a state."""
    event: Callable[[SpielState, int, int], str]
    """(state before, action id, reader) -> what the reader is told of it: "" where it may know nothing, or did it."""
    compact: Callable[[SpielState, int], str]
    """(state, reader) -> everything the reader may know that matters, in one line of few words."""
    names: Callable[[SpielState, Sequence[int]], Sequence[str]] | None = None
    """(state, all its legal action ids) -> their names, where a name depends on the others; else `action_name` of each.
    Names must differ in more than case and blanks."""
    board: Callable[[SpielState, int], str] = no_text
    """(state, reader) -> the current public state, shown at every turn of the full prompt."""
    whole: Callable[[SpielState, int], str] = no_text
    """(state, reader) -> the board and all else that the reader knows, in sentences. Left out: the board is all there
    is to know, or `compact` stands in for the rest."""
    secrets: Callable[[SpielState, int], tuple[str, ...]] = no_secrets
    """(state, player) -> the phrases of the player's observations that no other may have read by now."""
    ending: Callable[[SpielState, int], str] = no_text
    """(final state, reader) -> what the end reveals, a showdown for example."""
    lead_in: Callable[[SpielState, int], str] = no_text
    lead_ins: Callable[[SpielGame], tuple[str, ...]] = no_lead_ins
    key: Callable[[SpielState], Hashable] = history_key
    """Equal keys promise equal texts, moves, returns and futures: a board in a game where nothing else matters."""
