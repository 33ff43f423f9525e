"""Any other game of OpenSpiel, in OpenSpiel's own words: a start for games that have no curated texts yet."""

from __future__ import annotations

from typing import Any

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState

BRACKETS = str.maketrans("[]", "()")
"""Square brackets are for answers."""


def plain(name: str, *, prompt: str = "full", show_legal_moves: bool | None = None, **parameters: Any) -> OpenSpielGame:
    """OpenSpiel's game `name` with its own observation and action strings. Raises ValueError if it has no such game."""
    return OpenSpielGame(name, TEXTS, parameters=parameters, prompt=prompt, show_legal_moves=show_legal_moves)


def _rules(game: SpielGame) -> str:
    return (
        f"This is the game {game.get_type().long_name}, for {game.num_players()} players, in OpenSpiel's notation.\n"
        "Answer with one move in square brackets."
    )


def _plain_name(state: SpielState, action: int) -> str:
    text: str = state.action_to_string(action)
    return " ".join(text.translate(BRACKETS).split())


def _action_name(state: SpielState, action: int) -> str:
    """OpenSpiel's name, with the id after it where two legal moves have the same."""
    name = _plain_name(state, action)
    same = [other for other in state.legal_actions() if _plain_name(state, other) == name]
    return name if len(same) == 1 else f"{name} #{action}"


def _event(state: SpielState, action: int, reader: int) -> str:
    """Nothing: who may see what is OpenSpiel's to say, and its observation says it."""
    return ""


def _view(state: SpielState, player: int) -> str:
    kind = state.get_game().get_type()
    text = (
        state.observation_string(player) if kind.provides_observation_string else state.information_state_string(player)
    )
    return str(text).strip()


def _compact(state: SpielState, player: int) -> str:
    return " ".join(_view(state, player).split())


TEXTS = GameTexts(rules=_rules, action_name=_action_name, event=_event, compact=_compact, board=_view)
