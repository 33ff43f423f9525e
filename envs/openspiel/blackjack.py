"""Blackjack: one seat against the dealer."""

from __future__ import annotations

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState

HIT = 0
RANKS = ("Ace", "2", "3", "4", "5", "6", "7", "8", "9", "10", "Jack", "Queen", "King")
SUITS = {"H": "hearts", "S": "spades", "C": "clubs", "D": "diamonds"}
LETTERS = "A23456789TJQK"
PLAYER, DEALER = 0, 1
MOST = 21


def blackjack(*, prompt: str = "full", show_legal_moves: bool | None = None) -> OpenSpielGame:
    """Blackjack with one deck; no doubling, no splitting. Raises ValueError on a bad setting."""
    return OpenSpielGame("blackjack", TEXTS, prompt=prompt, show_legal_moves=show_legal_moves)


def _rules(game: SpielGame) -> str:
    return (
        "This is blackjack for one player against the dealer, with a fresh deck of 52 cards. You and the dealer get "
        "two cards each; the dealer's first card is hidden from you. Cards 2 to 10 count their number, Jack, Queen and "
        "King count 10, an Ace counts 11, or 1 where 11 would make more than 21. You take cards one by one (hit) "
        "until you stop (stand). With more than 21 you lose at once. When you stand the dealer takes cards while its "
        "total is 16 or less. A dealer above 21 loses; otherwise the higher total wins and equal totals are a draw. "
        "A win gives 1, a loss -1.\n"
        "Answer with your move in square brackets: [hit] or [stand]."
    )


def _card(state: SpielState, card: int) -> str:
    suit, rank = state.action_to_string(-1, card)
    return f"{RANKS[LETTERS.index(rank)]} of {SUITS[suit]}"


def _hand(state: SpielState, who: int, hidden: int = 0) -> str:
    """The cards of the player or of the dealer, without the first `hidden` ones."""
    return ", ".join(_card(state, card) for card in state.cards(who)[hidden:])


def _is_soft(state: SpielState) -> bool:
    """Whether an Ace of the player counts 11."""
    low = sum(min(LETTERS.index(state.action_to_string(-1, card)[1]) + 1, 10) for card in state.cards(PLAYER))
    return bool(low != state.get_best_player_total(PLAYER))


def _action_name(state: SpielState, action: int) -> str:
    return "hit" if action == HIT else "stand"


def _event(state: SpielState, action: int, reader: int) -> str:
    """A card that comes after the deal."""
    if not state.is_chance_node() or len(state.cards(DEALER)) < 2:
        return ""
    taker = "The dealer takes" if state.is_turn_over(PLAYER) else "You get"
    return f"{taker} the {_card(state, action)}."


def _board(state: SpielState, player: int) -> str:
    if state.is_terminal():
        return ""
    soft = ", an Ace counting 11" if _is_soft(state) else ""
    return (
        f"Your cards: {_hand(state, PLAYER)}. Total: {state.get_best_player_total(PLAYER)}{soft}.\n"
        f"The dealer shows: {_hand(state, DEALER, hidden=1)}; one card is hidden."
    )


def _compact(state: SpielState, player: int) -> str:
    """Total, whether an Ace counts 11, and the rank of the dealer's open card: all that matters but for the deck."""
    kind = "soft" if _is_soft(state) else "hard"
    shown = "10" if (rank := state.action_to_string(-1, state.cards(DEALER)[1])[1]) in "TJQK" else rank
    return f"you {kind} {state.get_best_player_total(PLAYER)} dealer {shown}"


def _ending(state: SpielState, player: int) -> str:
    totals = [state.get_best_player_total(who) for who in (PLAYER, DEALER)]
    bust = [", more than 21" if total > MOST else "" for total in totals]
    return (
        f"Your cards: {_hand(state, PLAYER)}. Total: {totals[PLAYER]}{bust[PLAYER]}.\n"
        f"The dealer's cards: {_hand(state, DEALER)}. Total: {totals[DEALER]}{bust[DEALER]}."
    )


TEXTS = GameTexts(
    rules=_rules, action_name=_action_name, event=_event, compact=_compact, board=_board, whole=_board, ending=_ending
)
