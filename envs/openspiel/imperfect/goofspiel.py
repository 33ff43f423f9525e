"""Goofspiel: everybody bids with the same cards for point cards, all at once."""

from __future__ import annotations

import dataclasses

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.imperfect.words import counted, numbers
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves, seat_name

ORDERS = {
    "random": "in random order",
    "descending": "from the highest down",
    "ascending": "from the lowest up",
}
RETURNS = {
    "win_loss": "Who has most points at the end wins.",
    "point_difference": "Your result is how far your points are above the average of all players.",
    "total_points": "Your result is the number of your points.",
}


def goofspiel(
    *,
    players: int = 2,
    num_cards: int = 13,
    num_turns: int = -1,
    imp_info: bool = False,
    points_order: str = "random",
    returns_type: str = "win_loss",
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """Goofspiel; `num_turns` -1: all cards are played. `imp_info`: only who wins a card is told, not the bids.

    Raises ValueError on a bad setting.
    """
    if not (2 <= players <= 10 and num_cards >= 2 and (num_turns == -1 or 1 <= num_turns <= num_cards)):
        raise ValueError(
            "goofspiel needs 2 to 10 players, num_cards >= 2, and num_turns -1 or from 1 to num_cards: "
            f"got {players}, {num_cards} and {num_turns}"
        )
    if points_order not in ORDERS:
        raise ValueError(f"points_order is one of {', '.join(ORDERS)}: got {points_order!r}")
    if returns_type not in RETURNS:
        raise ValueError(f"returns_type is one of {', '.join(RETURNS)}: got {returns_type!r}")
    return OpenSpielGame(
        "goofspiel",
        HIDDEN if imp_info else TEXTS,
        parameters={
            "players": players,
            "num_cards": num_cards,
            "num_turns": num_turns,
            "imp_info": imp_info,
            "points_order": points_order,
            "returns_type": returns_type,
        },
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _settings(game: SpielGame) -> dict[str, object]:
    """The parameters of the game that is played in turns here."""
    return dict(game.get_parameters()["game"])


def _rules(game: SpielGame) -> str:
    rules = _settings(game)
    cards, players = rules["num_cards"], game.num_players()
    rounds = cards if rules["num_turns"] == -1 else rules["num_turns"]
    told = "told which cards were played" if not rules["imp_info"] else "told who gets the point card, but not the bids"
    last = " The last round, where nobody has a choice, is played by itself." if rounds == cards else ""
    return (
        f"This is goofspiel for {players} players. Everybody has the cards 1 to {cards}. There is another set of these "
        f"cards for points, which come up one in each of {rounds} rounds, {ORDERS[str(rules['points_order'])]}. "
        "In a round everybody bids one of its cards, all at the same time. The highest bid gets the points of the "
        "card; if several players made it, nobody gets them. The cards that were bid are gone. After each round you "
        f"are {told}.{last} {RETURNS[str(rules['returns_type'])]}\n"
        "Answer with one of your cards in square brackets, for example [1]."
    )


def _field(state: SpielState, player: int, name: str) -> list[int]:
    """The numbers of a line of the player's information."""
    for line in state.information_state_string(player).splitlines():
        head, _, tail = line.partition(":")
        if head == name:
            return [int(number) for number in tail.split()]
    return []


def _hand(state: SpielState, reader: int, player: int) -> list[int]:
    """The cards of a player; empty where the reader may not know them."""
    return _field(state, reader, f"P{player} hand")


def _rounds(state: SpielState, reader: int) -> list[tuple[int, int]]:
    """(point card, winner) of every round that is over; the winner is negative where bids were equal."""
    cards, winners = _field(state, reader, "Point card sequence"), _field(state, reader, "Win sequence")
    return list(zip(cards, winners, strict=False))


def _action_name(state: SpielState, action: int) -> str:
    return str(action + 1)


def _won(card: int, winner: int) -> str:
    return f"{seat_name(winner) if winner >= 0 else 'Nobody'} gets the {counted(card, 'point')}."


def _event(state: SpielState, action: int, reader: int) -> str:
    """What a round brought, once the last player has bid."""
    players = state.num_players()
    if state.is_chance_node() or state.current_player() != players - 1:
        return ""
    before, after = _rounds(state, reader), _rounds(state.child(action), reader)
    bids = [bid + 1 for _, bid in moves(state)[len(before) * players :]] + [action + 1]
    told = f"Bids: {', '.join(f'{seat_name(seat)} {bid}' for seat, bid in enumerate(bids))}. "
    hidden = _settings(state.get_game())["imp_info"]
    lines = [("" if hidden else told) + _won(*after[len(before)])]
    lines += [f"The last cards are played. {_won(*last)}" for last in after[len(before) + 1 :]]
    return "\n".join(lines)


def _scores(state: SpielState, player: int) -> str:
    points = _field(state, player, "Points")
    return "Points: " + ", ".join(f"{seat_name(seat)} {count}" for seat, count in enumerate(points)) + "."


def _told(state: SpielState, player: int) -> str:
    return f"Your cards ({seat_name(player)}): {numbers(_hand(state, player, player))}."


def _left(state: SpielState, player: int) -> list[int]:
    """The point cards that have not come up."""
    seen = _field(state, player, "Point card sequence")
    cards = int(str(_settings(state.get_game())["num_cards"]))
    return [card for card in range(1, cards + 1) if card not in seen]


def _board(state: SpielState, player: int) -> str:
    if state.is_terminal():
        return ""
    card = _field(state, player, "Point card sequence")[-1]
    others = [
        f"Cards of {seat_name(seat)}: {numbers(hand)}."
        for seat in range(state.num_players())
        if seat != player and (hand := _hand(state, player, seat))
    ]
    deck = f"Point cards to come: {numbers(_left(state, player)) or 'none'}."
    lines = [f"The point card is {card}. {deck} {_scores(state, player)}", _told(state, player), *others]
    return "\n".join(lines)


def _short(state: SpielState, player: int) -> str:
    return f"p{player} cards {numbers(_hand(state, player, player))} point"


def _compact(state: SpielState, player: int) -> str:
    """The own cards and points first, then those of the others in playing order."""
    count, points = state.num_players(), _field(state, player, "Points")
    others = [(player + step) % count for step in range(1, count)]
    card = _field(state, player, "Point card sequence")[-1]
    words = [_short(state, player), f"{card} left {numbers(_left(state, player)) or 'none'} you {points[player]}"]
    words.append(f"other {numbers([points[seat] for seat in others])}")
    words += [f"cards {numbers(hand)}" for seat in others if (hand := _hand(state, player, seat))]
    if _settings(state.get_game())["imp_info"]:
        won = [f"{card}:{f'p{winner}' if winner >= 0 else '-'}" for card, winner in _rounds(state, player)]
        words.append(f"won {' '.join(won) or 'none'}")
    return " ".join(words)


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    return () if state.is_terminal() else (_told(state, player), _short(state, player))


def _ending(state: SpielState, player: int) -> str:
    return _scores(state, player)


TEXTS = GameTexts(
    rules=_rules,
    action_name=_action_name,
    event=_event,
    compact=_compact,
    board=_board,
    whole=_board,
    ending=_ending,
)
HIDDEN = dataclasses.replace(TEXTS, secrets=_secrets)
"""Where the bids stay untold, the cards in hand are secrets."""
