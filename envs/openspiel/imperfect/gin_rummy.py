"""Gin rummy: one deal, from the first upcard to the knock or the end of the stock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.imperfect.words import counted, listed
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, seat_name

RANKS = "A23456789TJQK"
SUITS = {"s": "spades", "c": "clubs", "d": "diamonds", "h": "hearts"}
CARD = re.compile(r"[A2-9TJQK][scdh]")
DRAW_UPCARD, DRAW_STOCK, PASS, KNOCK, FIRST_MELD = range(52, 57)
"""Ids of OpenSpiel's actions. Below them: a card; from the last one on: a meld."""
FIXED = {DRAW_UPCARD: "draw upcard", DRAW_STOCK: "draw stock", KNOCK: "knock"}
BEFORE_A_KNOCK = ("FirstUpcard", "Draw", "Discard", "Wall")
PHASES = {
    "FirstUpcard": "Take the upcard or pass.",
    "Draw": "Draw the upcard or the top card of the stock.",
    "Discard": "Discard a card, or knock if you may.",
    "Knock": "You have knocked: discard a card, then lay your melds, then say done.",
    "Layoff": "The other player has knocked: lay off cards on its melds, say done, lay your own melds, say done.",
    "Wall": "The stock has run out: pass, or knock with the upcard if you may.",
}


def gin_rummy(
    *,
    oklahoma: bool = False,
    knock_card: int = 10,
    gin_bonus: int = 25,
    undercut_bonus: int = 25,
    num_ranks: int = 13,
    num_suits: int = 4,
    hand_size: int = 10,
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """Gin rummy for two. `oklahoma`: the first upcard's value is the knock limit. Raises ValueError."""
    if not (3 <= num_ranks <= 13 and 3 <= num_suits <= 4 and 3 <= hand_size <= 10):
        raise ValueError(
            "gin rummy needs 3 to 13 ranks, 3 or 4 suits and hands of 3 to 10 cards: "
            f"got {num_ranks}, {num_suits} and {hand_size}"
        )
    if 2 * hand_size + 4 > num_ranks * num_suits or not 0 <= knock_card <= 10:
        raise ValueError(
            "gin rummy needs 4 cards more than the hands hold and a knock_card from 0 to 10: "
            f"got {num_ranks * num_suits} cards, 2 hands of {hand_size} and knock_card={knock_card}"
        )
    return OpenSpielGame(
        "gin_rummy",
        TEXTS,
        parameters={
            "oklahoma": oklahoma,
            "knock_card": knock_card,
            "gin_bonus": gin_bonus,
            "undercut_bonus": undercut_bonus,
            "num_ranks": num_ranks,
            "num_suits": num_suits,
            "hand_size": hand_size,
        },
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    rules = game.get_parameters()
    ranks = RANKS[: rules["num_ranks"]].replace("T", "10")
    low, high = ranks[0], "10" if ranks.endswith("10") else ranks[-1]
    suits = listed([f"{letter} for {name}" for letter, name in list(SUITS.items())[: rules["num_suits"]]])
    limit = "the value of the first upcard (0 if that is an ace)" if rules["oklahoma"] else str(rules["knock_card"])
    return (
        f"This is one deal of gin rummy for two players. A card is written as its rank, from {low} (ace, low) to "
        f"{high}, and its suit: {suits}. Each player is dealt {rules['hand_size']} cards, one card is turned up as the "
        "upcard, the others are the stock. A meld is three or four cards of a rank, or three or more of a suit in "
        "sequence. Cards outside melds are deadwood: an ace counts 1, jack, queen and king 10, others their rank.\n"
        "player_0 begins and may take the first upcard or pass; if it passes player_1 may; if both pass player_0 draws "
        "from the stock. From then on, in turn you draw the upcard or the top card of the stock, and then discard a "
        f"card, which becomes the upcard. If your deadwood can be brought down to {limit} or less you may knock: you "
        "discard a card, lay your melds one by one, and say done. Then the other player lays off cards that extend "
        "your melds (not against gin, a knock without deadwood), says done, lays its own melds, and says done.\n"
        "Whoever knocked gets the difference of the deadwoods, plus "
        f"{rules['gin_bonus']} for gin; with more deadwood than the other player it loses the difference plus "
        f"{rules['undercut_bonus']}. What one gains the other loses. If nobody has knocked when two cards are left in "
        "the stock, the player whose turn it is may knock with the upcard, else both get 0; so they do if the same "
        "card is drawn and discarded twice in a row, or when an upcard is drawn for the 50th time.\n"
        "Answer with one move in square brackets, for example [draw stock], [discard 5h], [knock] or [pass]."
    )


@dataclass(frozen=True, slots=True)
class View:
    """What a player knows at a state."""

    phase: str
    knock_limit: int
    hand: tuple[str, ...]
    deadwood: int
    """In points, of the hand arranged at its best; after a knock of all cards that are not laid down."""
    upcard: str | None
    stock: int
    discards: tuple[str, ...]
    melds: tuple[tuple[str, ...], tuple[str, ...]]
    """Melds that each player has laid, cards with blanks between."""
    layoffs: tuple[str, ...]


def shown(card: str) -> str:
    """A card as players write it: `10h` for OpenSpiel's `Th`."""
    return card.replace("T", "10")


def _cards(text: str) -> tuple[str, ...]:
    return tuple(shown(card) for card in CARD.findall(text))


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else ""


def _view(state: SpielState, player: int) -> View:
    """Read out of OpenSpiel's observation of the player, which holds nothing else."""
    text = state.observation_string(player)
    sections = re.split(r"Player(\d):", text)
    own = {int(seat): section for seat, section in zip(sections[1::2], sections[2::2], strict=True)}
    boxes = {seat: section.partition("\n+")[2].partition("Stock size")[0] for seat, section in own.items()}
    heads = {seat: section.partition("\n+")[0] for seat, section in own.items()}
    melds = [_found(r"Layed melds: (.*)", heads[seat]) for seat in (0, 1)]
    upcard = _cards(_found(r"Upcard: (\S+)", text))
    return View(
        phase=_found(r"Phase: (\w+)", text),
        knock_limit=int(_found(r"Knock card: (\d+)", text)),
        hand=_cards(boxes[player]),
        deadwood=int(_found(r"Deadwood=(\d+)", heads[player])),
        upcard=upcard[0] if upcard else None,
        stock=int(_found(r"Stock size: (\d+)", text)),
        discards=_cards(_found(r"Discard pile: (.*)", text)),
        melds=(_melds(melds[0]), _melds(melds[1])),
        layoffs=_cards(_found(r"Layoffs: (.*)", "\n".join(heads.values()))),
    )


def _melds(text: str) -> tuple[str, ...]:
    return tuple(" ".join(_cards(meld)) for meld in text.split())


def _card(state: SpielState, action: int) -> str:
    """The cards that an action names."""
    return " ".join(_cards(state.action_to_string(state.current_player(), action).rpartition(": ")[2]))


def _phase(state: SpielState) -> str:
    return _found(r"Phase: (\w+)", state.observation_string(0))


def _action_name(state: SpielState, action: int) -> str:
    return _names(state, (action,))[0]


def _names(state: SpielState, actions: Sequence[int]) -> list[str]:
    phase = _phase(state)
    return [_name(state, action, phase) for action in actions]


def _name(state: SpielState, action: int, phase: str) -> str:
    if action in FIXED:
        return FIXED[action]
    if action == PASS:
        return "done" if phase in ("Knock", "Layoff") else "pass"
    if action >= FIRST_MELD:
        return f"meld {_card(state, action)}"
    return f"{'lay off' if phase == 'Layoff' else 'discard'} {_card(state, action)}"


def _event(state: SpielState, action: int, reader: int) -> str:
    if state.is_chance_node():
        return _deal_event(state, action, reader)
    actor, name = state.current_player(), _action_name(state, action)
    if actor == reader:
        return ""
    said = {
        "draw upcard": f"draws the upcard {_view(state, reader).upcard}",
        "draw stock": "draws from the stock",
        "pass": "passes",
        "knock": "knocks",
        "done": "is done",
    }
    verb, _, cards = name.rpartition(" ") if name.startswith("lay off") else name.partition(" ")
    verbs = {"discard": "discards", "meld": "lays the meld", "lay off": "lays off"}
    return f"{seat_name(actor)} {said.get(name) or f'{verbs[verb]} {cards}'}."


def _deal_event(state: SpielState, action: int, reader: int) -> str:
    """A card that the reader draws from the stock. The first cards are told by the board."""
    drawn = [move.player for move in state.full_history()]
    if all(player < 0 for player in drawn) or drawn[-1] != reader:
        return ""
    return f"You draw {_card(state, action)} from the stock."


def _told(state: SpielState, player: int) -> str:
    return f"Your hand ({seat_name(player)}): {' '.join(_view(state, player).hand) or 'nothing'}."


def _board(state: SpielState, player: int) -> str:
    view = _view(state, player)
    limit = f" You may knock with {view.knock_limit} or less." if view.phase in BEFORE_A_KNOCK else ""
    laid = [f"Melds of {seat_name(seat)}: {', '.join(melds)}." for seat, melds in enumerate(view.melds) if melds]
    lines = [
        f"{_told(state, player)} Deadwood: {view.deadwood}.{limit}",
        f"Upcard: {view.upcard or 'none'}. Stock: {counted(view.stock, 'card')}. "
        f"Discarded before: {' '.join(view.discards) or 'nothing'}.",
        *laid,
        f"Laid off: {' '.join(view.layoffs)}." if view.layoffs else "",
        PHASES.get(view.phase, "") if state.current_player() == player else "",
    ]
    return "\n".join(filter(None, lines))


def _short(view: View, player: int) -> str:
    return f"p{player} hand {' '.join(view.hand) or 'none'} deadwood"


def _compact(state: SpielState, player: int) -> str:
    view = _view(state, player)
    words = [view.phase.lower(), _short(view, player), f"{view.deadwood} of {view.knock_limit}"]
    words.append(f"upcard {view.upcard or 'none'} stock {view.stock} discards {' '.join(view.discards) or 'none'}")
    words += [f"p{seat} melds {', '.join(melds)}" for seat, melds in enumerate(view.melds) if melds]
    if view.layoffs:
        words.append(f"laid off {' '.join(view.layoffs)}")
    return " ".join(words)


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    return () if state.is_terminal() else (_told(state, player), _short(_view(state, player), player))


def _ending(state: SpielState, player: int) -> str:
    """Both hands after a knock; without one they stay hidden."""
    if not any(move.action == KNOCK for move in state.full_history() if move.player >= 0):
        return "Nobody has knocked."
    views = [_view(state, seat) for seat in (0, 1)]
    shown_hands = [
        f"{seat_name(seat)} has {view.deadwood} deadwood ({' '.join(view.hand) or 'no cards'})"
        for seat, view in enumerate(views)
    ]
    return f"{'; '.join(shown_hands)}."


TEXTS = GameTexts(
    rules=_rules,
    action_name=_action_name,
    names=_names,
    event=_event,
    compact=_compact,
    board=_board,
    whole=_board,
    secrets=_secrets,
    ending=_ending,
)
