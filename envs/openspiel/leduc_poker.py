"""Leduc poker: two betting rounds, one private card each, one public card between the rounds."""

from __future__ import annotations

import re

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.cards import rank_lead_ins, ranks
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, seat_name

FOLD, CALL = 0, 1
SUITS = ("hearts", "spades")
VERBS = {"fold": "folds", "check": "checks", "call": "calls", "raise": "raises"}


def leduc_poker(
    *,
    players: int = 2,
    suit_isomorphism: bool = False,
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """Leduc poker; `suit_isomorphism` leaves the suits, which never matter, out. Raises ValueError on a bad setting."""
    return OpenSpielGame(
        "leduc_poker",
        TEXTS,
        parameters={"players": players, "suit_isomorphism": suit_isomorphism},
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    players = game.num_players()
    return (
        f"This is Leduc poker for {players} players. The deck has two cards of each rank, from low to high: "
        f"{', '.join(ranks(players + 1))}. Everybody puts 1 chip into the pot and gets one card that nobody else sees. "
        "A first round of betting follows, then one public card, then a second round of betting. "
        f"{seat_name(0)} opens both rounds.\n"
        "While nobody has raised in the round you may check (add nothing). A raise matches what the others have put in "
        "and adds 2 chips in the first round, 4 chips in the second; a round has at most two raises. "
        "Against a raise you call (match it), fold (give up the pot) or raise.\n"
        "At the end a card of the same rank as the public card beats all others, otherwise the higher rank wins; "
        "equal ranks share the pot. Your result is the number of chips that you win or lose.\n"
        "Answer with one move in square brackets, for example [check] or [raise]."
    )


def _cards(state: SpielState) -> list[int]:
    """The cards dealt so far: one per player, then the public one."""
    return [move.action for move in state.full_history() if move.player < 0]


def _rounds(state: SpielState) -> list[list[str]]:
    """The moves of each betting round that has begun, in words."""
    rounds: list[list[str]] = []
    players = state.num_players()
    for index, move in enumerate(state.full_history()):
        if move.player >= 0:
            rounds[-1].append(_word(move.action, rounds[-1]))
        elif index >= players - 1:
            rounds.append([])
    return rounds


def _word(action: int, before: list[str]) -> str:
    """The name of an action after the earlier moves of its round."""
    if action == FOLD:
        return "fold"
    if action == CALL:
        return "call" if "raise" in before else "check"
    return "raise"


def _card(state: SpielState, card: int, joint: str) -> str:
    """A card in words; `joint` stands between rank and suit where suits are told apart."""
    names = ranks(state.num_players() + 1)
    if state.get_game().get_parameters()["suit_isomorphism"]:
        return names[card]
    return f"{names[card // 2]}{joint}{SUITS[card % 2]}"


def _action_name(state: SpielState, action: int) -> str:
    return _word(action, _rounds(state)[-1])


def _event(state: SpielState, action: int, reader: int) -> str:
    if state.is_chance_node():
        dealt = len(_cards(state))
        if dealt == state.num_players():
            return f"The public card is the {_card(state, action, ' of ')}."
        return f"Your card is the {_card(state, action, ' of ')}." if dealt == reader else ""
    actor = state.current_player()
    return "" if actor == reader else f"{seat_name(actor)} {VERBS[_action_name(state, action)]}."


def _board(state: SpielState, player: int) -> str:
    """The pot, and what a call would cost."""
    if state.is_terminal():
        return ""
    view = state.observation_string(player)
    paid = [int(chips) for chips in re.findall(r"\[Ante: ([\d ]+)\]", view)[0].split()]
    return f"Pot: {sum(paid)} chips. To call: {max(paid) - paid[player]}."


def _told(state: SpielState, player: int) -> str:
    return f"Your card is the {_card(state, _cards(state)[player], ' of ')}."


def _whole(state: SpielState, player: int) -> str:
    """The cards that the player sees, the moves of each round, and the pot."""
    cards, rounds = _cards(state), _rounds(state)
    lines = [_told(state, player), f"First round: {', '.join(rounds[0]) or 'nothing yet'}."]
    if len(rounds) > 1:
        lines.append(f"The public card is the {_card(state, cards[-1], ' of ')}.")
        lines.append(f"Second round: {', '.join(rounds[1]) or 'nothing yet'}.")
    return "\n".join(filter(None, (*lines, _board(state, player))))


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    """The card in the words of both prompts, until a showdown."""
    if state.is_terminal() and f"{seat_name(player)} has" in _ending(state, player):
        return ()
    return (_told(state, player), f"card {_card(state, _cards(state)[player], ' ')}")


def _compact(state: SpielState, player: int) -> str:
    cards, rounds = _cards(state), _rounds(state)
    words = ["card", _card(state, cards[player], " "), "first", *rounds[0]]
    if len(rounds) > 1:
        words += ["public", _card(state, cards[-1], " "), "second", *rounds[1]]
    return " ".join(words)


def _ending(state: SpielState, player: int) -> str:
    """The private cards of those who did not fold, if more than one is left."""
    folded = {move.player for move in state.full_history() if move.player >= 0 and move.action == FOLD}
    staying = [seat for seat in range(state.num_players()) if seat not in folded]
    if len(staying) < 2:
        return ""
    cards = _cards(state)
    shown = ", ".join(f"{seat_name(seat)} has the {_card(state, cards[seat], ' of ')}" for seat in staying)
    return f"Showdown: {shown}."


def _rank(state: SpielState, player: int) -> str:
    return _card(state, _cards(state)[player], " ").split()[0]


def _lead_in(state: SpielState, player: int) -> str:
    return f"{_rank(state, player)} "


def _lead_ins(game: SpielGame) -> tuple[str, ...]:
    return rank_lead_ins(game.num_players() + 1)


TEXTS = GameTexts(
    rules=_rules,
    action_name=_action_name,
    event=_event,
    compact=_compact,
    board=_board,
    whole=_whole,
    secrets=_secrets,
    ending=_ending,
    lead_in=_lead_in,
    lead_ins=_lead_ins,
)
