"""Hanabi: build fireworks together, seeing every hand but your own.

Source: Bard et al. 2020, "The Hanabi challenge", arXiv:1902.00506; OpenSpiel plays by its learning environment.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.imperfect.words import counted, listed
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, seat_name

COLOURS = {"R": "red", "Y": "yellow", "G": "green", "W": "white", "B": "blue"}


def hanabi(
    *,
    players: int = 2,
    colors: int = 5,
    ranks: int = 5,
    hand_size: int | None = None,
    max_information_tokens: int = 8,
    max_life_tokens: int = 3,
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """Hanabi for 2 to 5 players; `hand_size` None: 5 cards, or 4 for more than three players. Raises ValueError."""
    hand = (5 if players < 4 else 4) if hand_size is None else hand_size
    if not (2 <= players <= 5 and 1 <= colors <= 5 and 1 <= ranks <= 5):
        raise ValueError(
            f"hanabi needs 2 to 5 players, 1 to 5 colors and 1 to 5 ranks: got {players}, {colors} and {ranks}"
        )
    if hand < 1 or max_information_tokens < 1 or max_life_tokens < 1 or players * hand > deck_size(colors, ranks):
        raise ValueError(
            "hanabi needs hand_size, max_information_tokens and max_life_tokens of at least 1, and a deck for all "
            f"hands: got {hand}, {max_information_tokens}, {max_life_tokens} and {deck_size(colors, ranks)} cards"
        )
    return OpenSpielGame(
        "hanabi",
        TEXTS,
        parameters={
            "players": players,
            "colors": colors,
            "ranks": ranks,
            "hand_size": hand,
            "max_information_tokens": max_information_tokens,
            "max_life_tokens": max_life_tokens,
        },
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def copies(rank: int, ranks: int) -> int:
    """Cards of one colour and rank in the deck."""
    return 3 if rank == 1 else 1 if rank == ranks else 2


def deck_size(colors: int, ranks: int) -> int:
    return colors * sum(copies(rank, ranks) for rank in range(1, ranks + 1))


def _rules(game: SpielGame) -> str:
    rules = game.get_parameters()
    ranks, colours = rules["ranks"], list(COLOURS.values())[: rules["colors"]]
    deck = listed([f"{copies(rank, ranks)} of rank {rank}" for rank in range(1, ranks + 1)])
    tokens, lives = rules["max_information_tokens"], rules["max_life_tokens"]
    return (
        f"This is Hanabi for {rules['players']} players, who win or lose together. The cards have the colours "
        f"{listed(colours)}; of each colour there are {deck}. Everybody holds {counted(rules['hand_size'], 'card')} "
        "and sees all hands but its own. Together you build a firework of each colour, from rank 1 upward.\n"
        "In turn you do one of three things. Play a card of your own: if it is the next of its colour it joins the "
        f"firework, otherwise it is discarded and one of {counted(lives, 'life').replace('lifes', 'lives')} is lost. "
        f"Discard a card of your own: this gives back one of the {counted(tokens, 'information token')}. Tell another "
        "player which of its cards have a colour, or a rank, that it does hold: this costs a token. A finished "
        "firework gives a token back as well. You draw a card after you played or discarded; your cards are numbered "
        "from 1, the oldest.\n"
        "The game ends when all lives are lost, when all fireworks are finished, or when everybody has had one more "
        "turn after the last card was drawn. Your result is the number of cards in the fireworks, but 0 if all lives "
        "are lost.\n"
        "Answer with one move in square brackets, for example [play 1], [discard 2], [tell player_1 red] or "
        "[tell player_1 1]."
    )


class Card(NamedTuple):
    """A card as an observation shows it, in OpenSpiel's letters."""

    face: str
    """Colour and rank, or "XX" where it is the reader's own."""
    told: str
    """Colour and rank that were told, "X" for each that was not."""
    possible: str
    """Colours and ranks that what was told leaves."""


def _field(text: str, name: str) -> str:
    match = re.search(rf"^{name}: *(.*)$", text, re.MULTILINE)
    return match.group(1).strip() if match else ""


def _hands(state: SpielState, player: int) -> list[list[Card]]:
    """The hands as the player sees them: its own first, then those of the others in playing order."""
    block = state.observation_string(player).partition("Hands:\n")[2].partition("Deck size")[0]
    return [
        [Card(*re.split(r" \|\| |\|", line)) for line in hand.splitlines() if "||" in line]
        for hand in block.split("-----\n")
    ]


def _named(face: str) -> str:
    """`red 1` for `R1`."""
    return f"{COLOURS[face[0]]} {face[1]}"


def _action_name(state: SpielState, action: int) -> str:
    player = state.current_player()
    words = state.action_to_string(player, action).strip("()").split()
    if words[0] == "Reveal":
        target = seat_name((player + int(words[2])) % state.num_players())
        return f"tell {target} {COLOURS.get(words[-1], words[-1])}"
    return f"{words[0].lower()} {int(words[1]) + 1}"


def _event(state: SpielState, action: int, reader: int) -> str:
    if state.is_chance_node():
        return ""
    actor, name = state.current_player(), _action_name(state, action)
    if name.startswith("tell"):
        return _tell_event(state, name, reader)
    verb, place = name.split()
    face = _hands(state, (actor + 1) % state.num_players())[-1][int(place) - 1].face
    who, its = ("You", "your") if actor == reader else (seat_name(actor), "its")
    verbs = {"play": "play", "discard": "discard"} if actor == reader else {"play": "plays", "discard": "discards"}
    fits = ""
    if verb == "play":
        after = _field(state.child(action).observation_string(reader), "Fireworks")
        fits = "; it fits" if face in after.split() else "; it does not fit, and a life is lost"
    return f"{who} {verbs[verb]} {its} card {place}, {_named(face)}{fits}."


def _tell_event(state: SpielState, name: str, reader: int) -> str:
    """A hint, in the words of its target or of a bystander."""
    actor = state.current_player()
    if actor == reader:
        return ""
    _, seat, what = name.split()
    count = state.num_players()
    target = next(player for player in range(count) if seat_name(player) == seat)
    letter = next((letter for letter, colour in COLOURS.items() if colour == what), what)
    hand = _hands(state, actor)[(target - actor) % count]
    places = [str(place) for place, card in enumerate(hand, 1) if letter in card.face]
    whom, whose = ("you", "your") if target == reader else (seat, "its")
    have = f"card{'' if len(places) == 1 else 's'} {listed(places)} {'is' if len(places) == 1 else 'are'}"
    rank = "of rank " if what.isdigit() else ""
    return f"{seat_name(actor)} tells {whom}: {whose} {have} {rank}{what}."


def _known(card: Card) -> str:
    """What a player knows of an own card."""
    colours = [COLOURS[letter] for letter in card.possible if letter in COLOURS]
    ranks = [letter for letter in card.possible if letter.isdigit()]
    return f"{'/'.join(colours)}, {'/'.join(ranks)}"


def _seen(card: Card) -> str:
    """A card of another player, and what it was told."""
    told = " ".join(COLOURS.get(letter, letter) for letter in card.told if letter != "X")
    return _named(card.face) + (f" (told {told})" if told else "")


def _told(state: SpielState, player: int) -> str:
    count, (_, *hands) = state.num_players(), _hands(state, player)
    seen = [
        f"{seat_name((player + step) % count)} holds {', '.join(map(_seen, hand)) or 'nothing'}"
        for step, hand in enumerate(hands, 1)
    ]
    return f"You ({seat_name(player)}) see: {'; '.join(seen)}."


def _table(state: SpielState, player: int) -> str:
    """What everybody sees."""
    text = state.observation_string(player)
    fireworks = ", ".join(_named(pile) for pile in _field(text, "Fireworks").split())
    discards = ", ".join(map(_named, sorted(_field(text, "Discards").split())))
    tokens, lives = _field(text, "Info tokens"), _field(text, "Life tokens")
    return (
        f"Fireworks up to: {fireworks}. Lives: {lives}. Information tokens: {tokens}. Cards to draw: "
        f"{_field(text, 'Deck size')}.\nDiscarded: {discards or 'nothing'}."
    )


def _board(state: SpielState, player: int) -> str:
    own = "; ".join(f"card {place}: {_known(card)}" for place, card in enumerate(_hands(state, player)[0], 1))
    return f"{_table(state, player)}\n{_told(state, player)}\nWhat your cards can be: {own or 'you have none'}."


def _short(state: SpielState, player: int) -> str:
    """The cards that the player sees, each with what its holder was told."""
    _, *hands = _hands(state, player)
    shown = [
        " ".join(card.face + ("" if card.told == "XX" else f":{card.told.replace('X', '')}") for card in hand)
        for hand in hands
    ]
    return f"p{player} sees {' / '.join(shown)} own"


def _compact(state: SpielState, player: int) -> str:
    text = state.observation_string(player)
    own = [_possible(card, state.get_game()) for card in _hands(state, player)[0]]
    discards = " ".join(sorted(_field(text, "Discards").split())) or "none"
    return (
        f"{_field(text, 'Fireworks')} lives {_field(text, 'Life tokens')} tokens {_field(text, 'Info tokens')} "
        f"deck {_field(text, 'Deck size')} {_short(state, player)} {' '.join(own) or 'none'} discards {discards}"
    )


def _possible(card: Card, game: SpielGame) -> str:
    """What an own card can be, ? where nothing is known."""
    rules = game.get_parameters()
    return "?" if len(card.possible) == rules["colors"] + rules["ranks"] else card.possible


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    """What the player sees; who holds the cards does not."""
    return () if state.is_terminal() else (_told(state, player), _short(state, player))


def _ending(state: SpielState, player: int) -> str:
    lost = _field(state.observation_string(player), "Life tokens") == "0"
    return f"Score: {state.returns()[player]:g}{', because all lives are lost' if lost else ''}."


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
