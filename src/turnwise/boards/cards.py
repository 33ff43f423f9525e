"""Games of cards and dice, drawn from their words: what a seat's words do not name lies face down."""

from __future__ import annotations

import re
from typing import Any

from turnwise.boards.shapes import Board, Known, cards, first, hand, without_you, words

SUITS = {"spades": "♠", "hearts": "♥", "diamonds": "♦", "clubs": "♣"}
_SHORT = dict(zip("shdc", "♠♥♦♣", strict=True))


def _find(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text)
    return match[1] if match else None


def _label(seat: str, viewer: str | None) -> str:
    return f"{seat} (you)" if seat == viewer else seat


def _rest(known: Known, seat: str | None, *drop: str) -> str:
    """The other lines of the words, where one seat looks; for everybody those that name nobody."""
    lines = [line for line in first(known) if not line.startswith(drop)]
    return "\n".join(lines if seat is not None else [line for line in lines if not re.search(r"\b[Yy]ou", line)])


def _suited(name: str) -> str:
    """`Jack of hearts` as `Jack ♥`."""
    rank, _, suit = name.partition(" of ")
    return f"{rank} {SUITS[suit]}" if suit in SUITS else name


def _brief(card: str) -> str:
    """`10s` as `10♠`."""
    return card[:-1] + _SHORT[card[-1]] if card[-1:] in _SHORT else card


def _held(known: Known, game: Any, seat: str | None, own: str, shown: str) -> list[dict[str, Any]]:
    """A row for every seat: its cards where its own words (`own`) or an ending (`shown` with its name) tell them."""
    rows = []
    everything = "\n".join(known.values())
    for name in game.seats:
        told = _find(own, known[name]) if name in known else None
        told = told or _find(shown.format(re.escape(name)), everything)
        rows.append(hand(_label(name, seat), [_suited(told)] if told else [], hidden=0 if told else 1))
    return rows


def kuhn(known: Known, game: Any, seat: str | None) -> Board | None:
    """One card each."""
    rows = _held(known, game, seat, r"Your card is the (\w+)", r"{} has the (\w+)")
    said = _find(r"So far: ([^.]*)\.", "\n".join(known.values())) or ""
    for row, name in zip(rows, game.seats, strict=True):
        row["note"] = ", ".join(re.findall(rf"{re.escape(name)} (\w+)", said))
    return cards(rows, _rest(known, seat, "Your card is"))


def leduc(known: Known, game: Any, seat: str | None) -> Board | None:
    """One card each and a public one."""
    rows = _held(known, game, seat, r"Your card is the ([\w ]+)\.", r"{} has the ([\w ]+?)[,.]")
    public = _find(r"The public card is the ([\w ]+)\.", "\n".join(known.values()))
    rows.append(hand("public card", [_suited(public)] if public else []))
    return cards(rows, _rest(known, seat, "Your card is", "The public card"))


def poker(known: Known, game: Any, seat: str | None) -> Board | None:
    """Hole cards and public cards, as many as there are."""
    everything = "\n".join(known.values())
    rows = []
    for name in game.seats:
        told = _find(r"Your cards \(\w+\): ([\w ]+)\.", known[name]) if name in known else None
        told = told or _find(rf"{re.escape(name)} has ([\w ]+?)(?: \(|[,.])", everything)
        rows.append(hand(_label(name, seat), [_brief(card) for card in (told or "").split()], hidden=0 if told else 1))
    public = _find(r"Public cards: ([\w ]+)\.", everything) or ""
    rows.append(hand("public cards", [] if "none" in public else [_brief(card) for card in public.split()]))
    return cards(rows, _rest(known, seat, "Your cards"))


def dice(known: Known, game: Any, seat: str | None) -> Board | None:
    """Liar's dice: one's own dice, and all of them at the end."""
    everything = "\n".join(known.values())
    rows = []
    for name in game.seats:
        told = _find(r"Your dice: ([\d ,]+)\.", known[name]) if name in known else None
        told = told or _find(rf"All dice:.*?{re.escape(name)} has ([\d ]+)", everything)
        thrown = re.findall(r"\d", told or "")
        rows.append(hand(_label(name, seat), thrown, hidden=0 if thrown else 1))
    return cards(rows, _rest(known, seat, "Your dice", "All dice"))


def goofspiel(known: Known, game: Any, seat: str | None) -> Board | None:
    """Everybody's hand, as far as it is known, and the point card."""
    everything = "\n".join(known.values())
    point = _find(r"The point card is (\d+)", everything)
    to_come = _find(r"Point cards to come: ([\d ]+)\.", everything) or ""
    rows = [hand("point card", [point] if point else [], f"to come: {to_come}" if to_come else "")]
    for name in game.seats:
        own = _find(rf"Your cards \({re.escape(name)}\): ([\d ]+)\.", known.get(name, ""))
        told = own or _find(rf"Cards of {re.escape(name)}: ([\d ]+)\.", everything)
        gained = _find(rf"Points:[^.]*?{re.escape(name)} (-?\d+)", everything)
        note = f"points: {gained}" if gained else ""
        rows.append(hand(_label(name, seat), (told or "").split(), note, hidden=0 if told else 1))
    return cards(rows, _rest(known, seat, "The point card", "Your cards", "Cards of"))


def hanabi(known: Known, game: Any, seat: str | None) -> Board | None:
    """The hands that are seen: every one but the viewer's own."""
    everything = "\n".join(known.values())
    fireworks = _find(r"Fireworks up to: ([^.]*)\.", everything)
    if fireworks is None:
        return None
    rows = [hand("fireworks", fireworks.split(", "))]
    for name in game.seats:
        own = _find(r"What your cards can be: ([^.]*)\.", known.get(name, ""))
        held = _find(rf"{re.escape(name)} holds ([^.;]*)", everything)
        if held:
            rows.append(hand(_label(name, seat), re.split(r", (?![^(]*\))", held)))
        else:
            rows.append(hand(_label(name, seat), [], own or "", hidden=len(re.findall(r"card \d", own or ""))))
    discarded = _find(r"Discarded: ([^.]*)\.", everything)
    rows.append(hand("discarded", discarded.split(", ") if discarded and discarded != "nothing" else []))
    counts = _find(r"(Lives: [^\n]*)", everything) or ""
    return cards(rows, counts)


def gin_rummy(known: Known, game: Any, seat: str | None) -> Board | None:
    """One's own hand, the upcard and what was discarded."""
    everything = "\n".join(known.values())
    rows = []
    for name in game.seats:
        told = _find(rf"Your hand \({re.escape(name)}\): ([\w ]+)\.", known.get(name, ""))
        deadwood = _find(r"(Deadwood: \d+)", known.get(name, "")) or ""
        held = [_brief(card) for card in (told or "").split()]
        rows.append(hand(_label(name, seat), held, deadwood, hidden=0 if told else 10))
    upcard = _find(r"Upcard: (\w+)", everything)
    before = _find(r"Discarded before: ([\w ]+)\.", everything) or ""
    rows.append(hand("upcard", [_brief(upcard)] if upcard and upcard != "none" else []))
    rows.append(hand("discarded", [_brief(card) for card in before.split() if card != "nothing"]))
    stock = _find(r"(Stock: \d+ cards?)", everything) or ""
    asked = [] if seat is None else [line for line in first(known) if not line.startswith(("Your hand", "Upcard"))]
    return cards(rows, "\n".join([stock, *asked]).strip())


def blackjack(known: Known, game: Any, seat: str | None) -> Board | None:
    """The player's hand and what the dealer shows."""
    text = "\n".join(words(next(iter(known.values()))))
    mine, dealer = _find(r"Your cards: ([^.]*)\.", text), _find(r"dealer(?:'s cards| shows): ([^.;]*)", text)
    if mine is None or dealer is None:
        return None
    totals = re.findall(r"Total: ([^.]*)\.", text)
    rows = [
        hand(game.seats[0], [_suited(card) for card in mine.split(", ")], f"total {totals[0]}" if totals else ""),
        hand("dealer", [_suited(card) for card in dealer.split(", ")], hidden=int("hidden" in text)),
    ]
    ending = [line for line in text.split("\n") if line.startswith("The game is over")]
    return cards(rows, without_you("\n".join(ending)) if seat is None else "\n".join(ending))
