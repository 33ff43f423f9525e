"""The sealed-bid first-price auction: bid once on an object of which only you know what it is worth to you."""

from __future__ import annotations

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves, seat_name


def first_sealed_auction(
    *, players: int = 2, max_value: int = 10, prompt: str = "full", show_legal_moves: bool | None = None
) -> OpenSpielGame:
    """The auction for 2 to 10 players; values are drawn from 1 to `max_value`. Raises ValueError on a bad setting."""
    if not 2 <= players <= 10 or max_value < 1:
        raise ValueError(f"the auction needs 2 to 10 players and max_value >= 1: got {players} and {max_value}")
    return OpenSpielGame(
        "first_sealed_auction",
        TEXTS,
        parameters={"players": players, "max_value": max_value},
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    parameters = game.get_parameters()
    return (
        f"This is a sealed-bid auction of one object among {parameters['players']} players. To each player the object "
        f"has a value of its own, drawn from 1 to {parameters['max_value']}, which nobody else learns. Everybody bids "
        "once, without seeing the other bids: a whole number from 0 to one less than its value. "
        "The highest bid wins the object and is paid; a draw decides among equal bids. "
        "The winner's result is its value minus its bid, everybody else's is 0.\n"
        "Answer with your bid in square brackets, for example [0]."
    )


def _value(state: SpielState, player: int) -> int:
    return int(state.observation_string(player))


def _bid(state: SpielState, player: int) -> int | None:
    return dict(moves(state)).get(player)


def _action_name(state: SpielState, action: int) -> str:
    return str(action)


def _event(state: SpielState, action: int, reader: int) -> str:
    """Who has won, at the end; values and bids are sealed."""
    if not state.is_chance_node() or _bid(state, state.num_players() - 1) is None:
        return ""
    return "You win the object." if action == reader else f"{seat_name(action)} wins the object."


def _told(state: SpielState, player: int) -> str:
    return f"The object is worth {_value(state, player)} to you ({seat_name(player)})."


def _board(state: SpielState, player: int) -> str:
    bid = _bid(state, player)
    return _told(state, player) + ("" if bid is None else f" You have bid {bid}.")


def _short(state: SpielState, player: int) -> str:
    return f"value {_value(state, player)} max {state.get_game().get_parameters()['max_value']}"


def _compact(state: SpielState, player: int) -> str:
    bid = _bid(state, player)
    return f"auction {state.num_players()} players {_short(state, player)}" + ("" if bid is None else f" bid {bid}")


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    return (_told(state, player), f"{_short(state, player)}")


def _ending(state: SpielState, player: int) -> str:
    return "Bids: " + ", ".join(f"{seat_name(seat)} {bid}" for seat, bid in moves(state)) + "."


TEXTS = GameTexts(
    rules=_rules,
    action_name=_action_name,
    event=_event,
    compact=_compact,
    board=_board,
    whole=_board,
    secrets=_secrets,
    ending=_ending,
)
