"""Nim, misere by default as in OpenSpiel."""

from __future__ import annotations

import re
from collections.abc import Sequence

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, seat_name


def nim(
    *,
    pile_sizes: Sequence[int] = (1, 3, 5, 7),
    is_misere: bool = True,
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """Nim; who takes the last object loses, or wins where `is_misere` is False. Raises ValueError on a bad setting."""
    if not pile_sizes or any(size < 1 for size in pile_sizes):
        raise ValueError(f"pile_sizes needs at least one pile of at least 1 object: got {list(pile_sizes)}")
    return OpenSpielGame(
        "nim",
        TEXTS,
        parameters={"pile_sizes": ";".join(map(str, pile_sizes)), "is_misere": is_misere},
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def piles(state: SpielState) -> list[int]:
    """How many objects each pile holds now."""
    return [int(size) for size in str(state).partition(":")[2].split()]


def _rules(game: SpielGame) -> str:
    parameters = game.get_parameters()
    count = parameters["pile_sizes"].count(";") + 1
    end = (
        "Who takes the last object of all loses."
        if parameters["is_misere"]
        else "Who takes the last object of all wins."
    )
    return (
        f"This is nim for two players, with {count} piles of objects. In turn you take as many objects as you like, "
        f"at least one, all from the same pile. {end} player_0 moves first.\n"
        "Answer with your move in square brackets, for example [take 1 from pile 2]."
    )


def _action_name(state: SpielState, action: int) -> str:
    pile, take = re.findall(r"\d+", state.action_to_string(action))
    return f"take {take} from pile {pile}"


def _event(state: SpielState, action: int, reader: int) -> str:
    actor = state.current_player()
    return "" if actor == reader else f"{seat_name(actor)} plays: {_action_name(state, action)}."


def _board(state: SpielState, player: int) -> str:
    return "\n".join(f"pile {number}: {size}" for number, size in enumerate(piles(state), 1))


def _compact(state: SpielState, player: int) -> str:
    """One word a pile: its number and what is left in it."""
    return " ".join(["nim", *(f"{number}:{size}" for number, size in enumerate(piles(state), 1))])


TEXTS = GameTexts(rules=_rules, action_name=_action_name, event=_event, compact=_compact, board=_board, key=str)
