"""Universal poker: small games and Texas hold'em, with fixed raises or without limit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.imperfect.poker_variants import settings
from turnwise.envs.openspiel.imperfect.words import counted, listed
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves, seat_name

RANKS = "23456789TJQKA"
CARD = re.compile(r"([2-9TJQKA])([cdhs])")
FOLD, CALL, BET, ALL_IN, HALF_POT = range(5)
"""Ids of OpenSpiel's actions; in the full game every id from 2 on is a sum of chips."""
VERBS = {"fold": "folds", "check": "checks", "call": "calls"}
COMBINATIONS = "straight flush, four of a kind, full house, flush, straight, three of a kind, two pair, pair, high card"


def universal_poker(
    *,
    variant: str = "small",
    prompt: str = "full",
    show_legal_moves: bool | None = None,
    **parameters: Any,
) -> OpenSpielGame:
    """A poker game: a `variant` of `poker_variants.VARIANTS`, changed by OpenSpiel's parameters (`stack="50 50"`).

    Legal moves are listed in the full prompt, unless every sum of chips is one. Raises ValueError on a bad setting.
    """
    chosen = settings(variant, parameters)
    if show_legal_moves is None and chosen.get("bettingAbstraction") == "fullgame":
        show_legal_moves = False
    return OpenSpielGame("universal_poker", TEXTS, parameters=chosen, prompt=prompt, show_legal_moves=show_legal_moves)


def _whole_numbers(text: str) -> list[int]:
    return [int(number) for number in text.split()]


def _limited(game: SpielGame) -> bool:
    return bool(game.get_parameters()["betting"] == "limit")


def _full(game: SpielGame) -> bool:
    return bool(game.get_parameters()["bettingAbstraction"] == "fullgame")


# The rules


def _rules(game: SpielGame) -> str:
    rules = game.get_parameters()
    ranks = ", ".join(RANKS[: rules["numRanks"]]).replace("T", "10")
    blinds = _whole_numbers(rules["blind"])
    paid = listed([f"{seat_name(seat)} {blind}" for seat, blind in enumerate(blinds)])
    return (
        f"This is poker for {rules['numPlayers']} players with the ranks {ranks}, from low to high, in the suits c, d, "
        f"h and s. Everybody gets {counted(rules['numHoleCards'], 'card')} that nobody else sees. "
        f"Chips that are in the pot at the start: {paid}.{_stacks(game)} {_betting_rounds(game)}\n"
        "When a bet has been made you may fold (give up the pot), call (match it) or raise; when none has been made "
        f"you may check (add nothing) or raise. {_raises(game)}\n"
        "At the end the best hand of up to five cards out of your own and the public ones takes the pot, and equal "
        f"hands share it. From high to low: {COMBINATIONS}; then the higher ranks decide. "
        "Your result is the number of chips that you win or lose.\n"
        f"Answer with one move in square brackets, for example {_examples(game)}."
    )


def _stacks(game: SpielGame) -> str:
    if _limited(game):
        return ""
    stacks = _whole_numbers(game.get_parameters()["stack"])
    return f" Each player's chips, those included: {listed([str(stack) for stack in stacks])}."


def _betting_rounds(game: SpielGame) -> str:
    rules = game.get_parameters()
    firsts, boards = _whole_numbers(rules["firstPlayer"]), _whole_numbers(rules["numBoardCards"])
    told = [
        f"round {number} ({_after(cards)}{seat_name(first - 1)} first)"
        for number, (first, cards) in enumerate(zip(firsts, boards, strict=False), 1)
    ]
    return f"There {'is' if len(told) == 1 else 'are'} {counted(len(told), 'round')} of betting: {listed(told)}."


def _after(cards: int) -> str:
    return f"after {counted(cards, 'public card')}, " if cards else ""


def _raises(game: SpielGame) -> str:
    rules = game.get_parameters()
    most = (
        f" A round has at most this many raises: {rules['maxRaises'].replace(' ', ', ')}." if rules["maxRaises"] else ""
    )
    if _limited(game):
        sizes = rules["raiseSize"].replace(" ", ", ")
        return f"A raise matches what the others have put in and adds, round by round, {sizes} chips.{most}"
    if _full(game):
        return f"A raise names the sum that you will have put into the pot in this hand, all rounds together.{most}"
    if rules["bettingAbstraction"] == "fc":
        return "Nobody can raise."
    half = " [raise half pot] half of the pot;" if rules["bettingAbstraction"] == "fchpa" else ""
    return (
        f"You may raise by three sums at most: [raise pot] adds the pot after a call;{half} [all in] all chips.{most}"
    )


def _examples(game: SpielGame) -> str:
    if _limited(game):
        return "[call] or [raise]"
    if _full(game):
        return f"[call] or [raise to {2 * max(_whole_numbers(game.get_parameters()['blind']))}]"
    return "[check] or [fold]" if game.get_parameters()["bettingAbstraction"] == "fc" else "[call] or [raise pot]"


# What a state holds


class Move(NamedTuple):
    """One move of a player."""

    round: int
    seat: int
    name: str
    """In words: fold, check, call, `raise to 6`."""


def _field(state: SpielState, player: int, name: str) -> str:
    """A field of the player's information, for example `Private`."""
    match = re.search(rf"\[{name}: ?([^\]]*)\]", state.information_state_string(player))
    return match.group(1) if match else ""


def _cards(text: str) -> str:
    """`Jd 10c` for OpenSpiel's `JdTc`."""
    return " ".join(rank.replace("T", "10") + suit for rank, suit in CARD.findall(text))


def _spent(state: SpielState, player: int) -> list[int]:
    """Chips that each player has put in."""
    match = re.search(r"PlayerContribution: ([\d ]+)\]", state.observation_string(player))
    return _whole_numbers(match.group(1)) if match else []


def _history(state: SpielState, player: int) -> list[Move]:
    """Every move so far, out of OpenSpiel's betting sequence: c, f, r and the sum that a raise goes to."""
    rules = state.get_game().get_parameters()
    limited, spent = _limited(state.get_game()), _whole_numbers(rules["blind"])
    stacks = [max(spent) ** 9 for _ in spent] if limited else _whole_numbers(rules["stack"])
    tokens = [
        (number, token)
        for number, text in enumerate(_field(state, player, "Sequences").split("|"))
        for token in re.findall(r"[cf]|r\d*", text)
    ]
    history = []
    for (number, token), (seat, _) in zip(tokens, moves(state), strict=True):
        name, spent[seat] = _step(token, spent, seat, stacks, rules["raiseSize"].split()[number] if limited else "0")
        history.append(Move(number, seat, name))
    return history


def _step(token: str, spent: Sequence[int], seat: int, stacks: Sequence[int], size: str) -> tuple[str, int]:
    """(the move in words, what its maker has put in after it)."""
    owed = max(spent)
    if token == "f":
        return "fold", spent[seat]
    if token == "c":
        return ("check" if spent[seat] == owed else "call"), min(owed, stacks[seat])
    total = int(token[1:] or owed + int(size))
    return f"raise to {total}", total


# Moves and events


def _action_name(state: SpielState, action: int) -> str:
    if action == FOLD:
        return "fold"
    if action == CALL:
        spent, player = _spent(state, state.current_player()), state.current_player()
        return "check" if spent[player] == max(spent) else "call"
    if _full(state.get_game()):
        return f"raise to {action}"
    if _limited(state.get_game()):
        return "raise"
    return {BET: "raise pot", ALL_IN: "all in", HALF_POT: "raise half pot"}[action]


def _event(state: SpielState, action: int, reader: int) -> str:
    if state.is_chance_node():
        return _deal_event(state, action)
    actor = state.current_player()
    if actor == reader:
        return ""
    name = _history(state.child(action), reader)[-1].name
    return f"{seat_name(actor)} {VERBS.get(name) or name.replace('raise', 'raises')}."


def _deal_event(state: SpielState, action: int) -> str:
    """A public card; the private ones are told by the board."""
    rules = state.get_game().get_parameters()
    if len(state.history()) < rules["numPlayers"] * rules["numHoleCards"]:
        return ""
    return f"Public card: {_cards(state.action_to_string(action))}."


# Observations


def _told(state: SpielState, player: int) -> str:
    return f"Your cards ({seat_name(player)}): {_cards(_field(state, player, 'Private'))}."


def _owed(state: SpielState, player: int) -> int:
    """Chips that a call costs: no more than the player has."""
    spent = _spent(state, player)
    return min(max(spent) - spent[player], int(_field(state, player, "Money").split()[player]))


def _chips(state: SpielState, player: int) -> str:
    spent = _spent(state, player)
    line = f"Pot: {sum(spent)} chips ({', '.join(f'{seat_name(seat)} {put}' for seat, put in enumerate(spent))})."
    if state.is_terminal():
        return line
    line = f"{line} To call: {_owed(state, player)}."
    if not _limited(state.get_game()):
        line += f" You have {_field(state, player, 'Money').split()[player]} chips left."
    raises = [action for action in state.legal_actions() if action >= BET] if _full(state.get_game()) else []
    if raises and state.current_player() == player:
        line += f" You may raise to any sum from {raises[0]} to {raises[-1]}."
    return line


def _board(state: SpielState, player: int) -> str:
    public = _cards(_field(state, player, "Public"))
    return f"{_told(state, player)} Public cards: {public or 'none yet'}.\n{_chips(state, player)}"


def _whole(state: SpielState, player: int) -> str:
    """The moves of each round, then the board."""
    history = _history(state, player)
    rounds = sorted({move.round for move in history})
    lines = [
        f"Round {number + 1}: "
        f"{', '.join(f'{seat_name(move.seat)} {move.name}' for move in history if move.round == number)}."
        for number in rounds
    ]
    return "\n".join((*lines, _board(state, player)))


def _short(state: SpielState, player: int) -> str:
    return f"p{player} hand {_cards(_field(state, player, 'Private'))} public"


def _compact(state: SpielState, player: int) -> str:
    """The cards, what each has put in, and the moves so far; `/` stands between rounds."""
    sequence = [
        " ".join(re.findall(r"[cf]|r\d*", text)) or "-" for text in _field(state, player, "Sequences").split("|")
    ]
    spent = _spent(state, player)
    line = f"{_short(state, player)} {_cards(_field(state, player, 'Public')) or 'none'}"
    chips = "" if _limited(state.get_game()) else f" left {_field(state, player, 'Money')}"
    return f"{line} in {' '.join(map(str, spent))}{chips} call {_owed(state, player)} bets {' / '.join(sequence)}"


def _staying(state: SpielState) -> list[int]:
    folded = {seat for seat, action in moves(state) if action == FOLD}
    return [seat for seat in range(state.num_players()) if seat not in folded]


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    """The private cards, until a showdown."""
    staying = _staying(state)
    if state.is_terminal() and player in staying and len(staying) > 1:
        return ()
    return _told(state, player), _short(state, player)


def _ending(state: SpielState, player: int) -> str:
    """The hands of those who did not fold, if more than one is left."""
    staying = _staying(state)
    if len(staying) < 2:
        return ""
    kinds = state.to_dict()["best_hand_rank_types"]
    shown = [
        f"{seat_name(seat)} has {_cards(_field(state, seat, 'Private'))} ({kinds[seat].lower()})" for seat in staying
    ]
    return f"Showdown: {', '.join(shown)}."


TEXTS = GameTexts(
    rules=_rules,
    action_name=_action_name,
    event=_event,
    compact=_compact,
    board=_board,
    whole=_whole,
    secrets=_secrets,
    ending=_ending,
)
