"""Any other game of OpenSpiel, in OpenSpiel's own words: a start for games that have no curated texts yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.mean_field import is_mean_field
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves_at_once, seat_name

BRACKETS = str.maketrans("[]{}", "()()")
"""Square brackets and braces are for answers."""
NOTHING = "There is nothing to see."


def plain(name: str, *, prompt: str = "full", show_legal_moves: bool | None = None, **parameters: Any) -> OpenSpielGame:
    """OpenSpiel's game `name` with its own observation and action strings. Raises ValueError if it has no such game.

    A parameter that is a game itself is written as OpenSpiel writes it: `game="kuhn_poker(players=3)"`.
    """
    return OpenSpielGame(name, TEXTS, parameters=parameters, prompt=prompt, show_legal_moves=show_legal_moves)


def _rules(game: SpielGame) -> str:
    count = game.num_players()
    crowd = " A crowd that you do not move stays spread evenly over all places." if is_mean_field(game) else ""
    at_once = " All players move at once." if moves_at_once(game) else ""
    return (
        f"This is the game {' '.join(game.get_type().long_name.translate(BRACKETS).split())}, for {count} "
        f"player{'' if count == 1 else 's'}, in OpenSpiel's notation.{at_once}{crowd}\n"
        "Answer with one move in square brackets."
    )


def _action_name(state: SpielState, action: int) -> str:
    text: str = state.action_to_string(state.current_player(), action)
    return " ".join(text.translate(BRACKETS).split())


def _names(state: SpielState, actions: Sequence[int]) -> list[str]:
    """OpenSpiel's names, with the id after one that another legal move has too, but for case and blanks."""
    names = [_action_name(state, action) or "move" for action in actions]
    keys = ["".join(name.split()).casefold() for name in names]
    uses = Counter(keys)
    return [
        name if uses[key] == 1 else f"{name} #{action}" for name, key, action in zip(names, keys, actions, strict=True)
    ]


def _event(state: SpielState, action: int, reader: int) -> str:
    """Nothing: who may see what is OpenSpiel's to say, and its observation says it."""
    return ""


def _view(state: SpielState, player: int) -> str:
    kind = state.get_game().get_type()
    told = kind.provides_information_state_string and not kind.provides_observation_string
    text: str = state.information_state_string(player) if told else state.observation_string(player)
    return text.translate(BRACKETS).strip() or NOTHING


def _compact(state: SpielState, player: int) -> str:
    return f"{seat_name(player)}: {' '.join(_view(state, player).split())}"


TEXTS = GameTexts(
    rules=_rules, action_name=_action_name, names=_names, event=_event, compact=_compact, board=_view, whole=_view
)
