"""Negotiation with proposals and a channel of cheap talk in made-up words.

Source: Cao et al. 2018, "Emergent communication through negotiation", arXiv:1804.03980, section 2.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.imperfect.words import numbers
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves, seat_name

LETTERS = "abcdefghijklmnopqrstuvwxyz"
MOST_OF_A_KIND = 5
"""Items of one kind in a pool at most; fixed in OpenSpiel."""
MOST_WORDS = 10_000
"""Words of the channel that a player may choose from."""


def negotiation(
    *,
    num_items: int = 3,
    enable_utterances: bool = True,
    num_symbols: int = 5,
    utterance_dim: int = 3,
    prompt: str = "full",
    show_legal_moves: bool = False,
) -> OpenSpielGame:
    """Negotiation for two; words have `utterance_dim` letters out of `num_symbols`. Raises ValueError."""
    if not 1 <= num_items <= 5:
        raise ValueError(f"negotiation needs 1 to 5 kinds of items: got num_items={num_items}")
    if not (1 <= num_symbols <= len(LETTERS) and utterance_dim >= 1 and num_symbols**utterance_dim <= MOST_WORDS):
        raise ValueError(
            f"negotiation needs 1 to {len(LETTERS)} symbols, utterance_dim >= 1 and at most {MOST_WORDS} words: "
            f"got {num_symbols} symbols and utterance_dim={utterance_dim}"
        )
    return OpenSpielGame(
        "negotiation",
        TEXTS,
        parameters={
            "num_items": num_items,
            "enable_utterances": enable_utterances,
            "num_symbols": num_symbols,
            "utterance_dim": utterance_dim,
        },
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    rules = game.get_parameters()
    kinds, size = ", ".join(LETTERS[: rules["num_items"]].upper()), rules["utterance_dim"]
    example = numbers([0] * (rules["num_items"] - 1) + [1])
    talk = (
        f"After every proposal its maker also says a word of {size} letters from {LETTERS[0]} to "
        f"{LETTERS[rules['num_symbols'] - 1]}, which means whatever you two make of it.\n"
        if rules["enable_utterances"]
        else ""
    )
    word = f", a word for example [say {LETTERS[0] * size}]" if talk else ""
    return (
        f"This is a negotiation between two players over a pool of items of these kinds: {kinds}. There are 0 to "
        f"{MOST_OF_A_KIND} items of each kind, and an item of each kind has a value from 0 to 10 to you and another "
        "one to the other player; nobody sees the other's values. player_0 proposes first, and then you take turns. "
        "In turn you either agree to the proposal of the other player, or make one of your own. With an agreement "
        "both get the value of what falls to them; if the last proposal brings none, both get 0. "
        f"{talk}"
        "A proposal says how many items of each kind you keep, in their order; the rest goes to the other player.\n"
        f"Answer in square brackets: a proposal for example [keep {example}], an agreement [agree]{word}."
    )


def _digits(value: int, base: int, count: int) -> list[int]:
    """The lowest `count` digits of a number, highest first."""
    return [value // base**place % base for place in range(count - 1, -1, -1)]


def _read_all(state: SpielState, actions: Sequence[int]) -> list[list[int] | str]:
    """What each action is: the numbers that a proposal keeps, "agree", or `say` and a word."""
    rules = state.get_game().get_parameters()
    items, symbols, size = rules["num_items"], rules["num_symbols"], rules["utterance_dim"]
    agreement = (MOST_OF_A_KIND + 1) ** items

    def read(action: int) -> list[int] | str:
        if action < agreement:
            return _digits(action, MOST_OF_A_KIND + 1, items)
        if action == agreement:
            return "agree"
        return f"say {''.join(LETTERS[symbol] for symbol in _digits(action - agreement - 1, symbols, size))}"

    return [read(action) for action in actions]


def _read(state: SpielState, action: int) -> list[int] | str:
    return _read_all(state, (action,))[0]


def _names(state: SpielState, actions: Sequence[int]) -> list[str]:
    return [what if isinstance(what, str) else f"keep {numbers(what)}" for what in _read_all(state, actions)]


def _action_name(state: SpielState, action: int) -> str:
    return _names(state, (action,))[0]


def _event(state: SpielState, action: int, reader: int) -> str:
    actor = state.current_player()
    if state.is_chance_node() or actor == reader:
        return ""
    what = _read(state, action)
    if what == "agree":
        return f"{seat_name(actor)} agrees."
    if isinstance(what, str):
        return f"{seat_name(actor)} says {what.removeprefix('say ')}."
    return f"{seat_name(actor)} makes a proposal."


def _view(state: SpielState, player: int) -> tuple[int, list[int], list[int]]:
    """(proposals at most, pool, values to the player). OpenSpiel may list more values than kinds: the first count."""
    steps, pool, values, *_ = state.observation_string(player).splitlines()
    kept = [int(number) for number in re.findall(r"\d+", pool)]
    worth = [int(number) for number in values.partition("vec:")[2].split()][: len(kept)]
    return int(steps.split()[-1]), kept, worth


def _proposals(state: SpielState) -> list[tuple[int, list[int]]]:
    read = [(seat, _read(state, action)) for seat, action in moves(state)]
    return [(seat, what) for seat, what in read if not isinstance(what, str)]


def _things(counts: list[int]) -> str:
    return ", ".join(f"{count} {kind}" for count, kind in zip(counts, LETTERS.upper(), strict=False))


def _told(state: SpielState, player: int) -> str:
    values = ", ".join(f"{kind} {value}" for kind, value in zip(LETTERS.upper(), _view(state, player)[2], strict=False))
    return f"What an item is worth to you ({seat_name(player)}): {values}."


def _table(state: SpielState, player: int) -> str:
    proposals = _proposals(state)
    steps, pool, values = _view(state, player)
    if not proposals:
        return f"No proposal has been made; there can be {steps}."
    seat, kept = proposals[-1]
    rest = [whole - part for whole, part in zip(pool, kept, strict=True)]
    mine = kept if seat == player else rest
    worth = sum(value * count for value, count in zip(values, mine, strict=True))
    keeps = "you keep" if seat == player else f"{seat_name(seat)} keeps"
    gets = f"{seat_name(1 - player)} gets" if seat == player else "you get"
    text = f"Proposal {len(proposals)} of {steps}: {keeps} {_things(kept)}; {gets} {_things(rest)}."
    return f"{text} It is worth {worth} to you."


def _phase(state: SpielState, player: int) -> str:
    """What is asked for, where words are said too."""
    if state.current_player() != player or not state.get_game().get_parameters()["enable_utterances"]:
        return ""
    return "Now say a word." if "Turn Type: Utterance" in state.observation_string(player) else "Now propose or agree."


def _board(state: SpielState, player: int) -> str:
    lines = (f"The pool: {_things(_view(state, player)[1])}. {_told(state, player)}", _table(state, player))
    return "\n".join(filter(None, (*lines, _phase(state, player))))


def _short(state: SpielState, player: int) -> str:
    return f"values {numbers(_view(state, player)[2])} proposals"


def _compact(state: SpielState, player: int) -> str:
    steps, pool, _ = _view(state, player)
    proposals = _proposals(state)
    words = [f"pool {numbers(pool)} {_short(state, player)} {len(proposals)} of {steps}"]
    if proposals:
        seat, kept = proposals[-1]
        words.append(f"{'you' if seat == player else 'other'} keep {numbers(kept)}")
    said = [(seat, what) for seat, action in moves(state) if isinstance(what := _read(state, action), str)]
    if said:
        seat, what = said[-1]
        words.append(f"{'you' if seat == player else 'other'} {what}")
    ask = _phase(state, player)
    return " ".join([*words, "word?" if "word" in ask else "proposal?" if ask else ""]).strip()


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    return _told(state, player), _short(state, player)


def _ending(state: SpielState, player: int) -> str:
    agreed = any(_read(state, action) == "agree" for _, action in moves(state))
    return "The proposal was accepted." if agreed else "There was no agreement."


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
