"""Bargaining over books, hats and basketballs: each side has values of its own for the same things.

Source: Lewis et al. 2017, "Deal or no deal? End-to-end learning of negotiation dialogues", arXiv:1706.05125.
"""

from __future__ import annotations

import re
from pathlib import Path

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.imperfect.words import counted, listed, numbers
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves, seat_name

ITEMS = ("book", "hat", "basketball")


def bargaining(
    *,
    max_turns: int = 10,
    discount: float = 1.0,
    prob_end: float = 0.0,
    max_num_instances: int = 1000,
    instances_file: str = "",
    prompt: str = "full",
    show_legal_moves: bool = False,
) -> OpenSpielGame:
    """Bargaining for two. `discount` shrinks the result of a late deal, `prob_end` breaks the talks off by chance.

    Raises ValueError on a bad setting.
    """
    if max_turns < 1 or max_num_instances < 1:
        raise ValueError(
            f"bargaining needs max_turns >= 1 and max_num_instances >= 1: got {max_turns} and {max_num_instances}"
        )
    if not (0 < discount <= 1 and 0 <= prob_end < 1):
        raise ValueError(f"bargaining needs 0 < discount <= 1 and 0 <= prob_end < 1: got {discount} and {prob_end}")
    if instances_file and not Path(instances_file).is_file():
        raise ValueError(f"instances_file is a file, or empty for the instances of OpenSpiel: got {instances_file!r}")
    return OpenSpielGame(
        "bargaining",
        TEXTS,
        parameters={
            "max_turns": max_turns,
            "discount": discount,
            "prob_end": prob_end,
            "max_num_instances": max_num_instances,
            "instances_file": instances_file,
        },
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    rules = game.get_parameters()
    late = rules["discount"]
    shrinks = f" From the third move on, every move multiplies the result of a deal by {late:g}." if late < 1 else ""
    chance = rules["prob_end"]
    breaks = f" After every offer but the first, the talks break off with probability {chance:g}." if chance else ""
    return (
        "This is a bargaining game for two players, who share out a pool of books, hats and basketballs. Each kind has "
        "a value to you and another one to the other player; nobody sees the other's values, but to each player the "
        "whole pool is worth 10. player_0 makes the first offer. After that, you either agree to the offer on the "
        "table, or make one of your own. With an agreement both get the value of what falls to them; "
        f"after {counted(rules['max_turns'], 'offer')} without one both get 0.{shrinks}{breaks}\n"
        "An offer says how many books, hats and basketballs you keep, in this order; the rest goes to the other "
        "player. Answer in square brackets, for example [keep 1 0 2] or [agree]."
    )


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _view(state: SpielState, player: int) -> tuple[list[int], list[int]]:
    """(pool, values to the player), a number per kind."""
    pool, values, *_ = state.observation_string(player).splitlines()
    return _numbers(pool), _numbers(values)


def _kept(state: SpielState, action: int) -> list[int]:
    """What an offer keeps; empty for an agreement."""
    return _numbers(state.action_to_string(0, action))


def _offers(state: SpielState) -> list[tuple[int, list[int]]]:
    """(who offers, what it keeps) so far."""
    return [(seat, kept) for seat, action in moves(state) if (kept := _kept(state, action))]


def _action_name(state: SpielState, action: int) -> str:
    kept = _kept(state, action)
    return f"keep {numbers(kept)}" if kept else "agree"


def _things(counts: list[int]) -> str:
    return listed([counted(count, item) for count, item in zip(counts, ITEMS, strict=True)])


def _event(state: SpielState, action: int, reader: int) -> str:
    if state.is_chance_node():
        return "The talks break off." if state.history() and state.child(action).is_terminal() else ""
    actor = state.current_player()
    if actor == reader:
        return ""
    return f"{seat_name(actor)} makes an offer." if _kept(state, action) else f"{seat_name(actor)} agrees."


def _told(state: SpielState, player: int) -> str:
    values = ", ".join(f"{item} {value}" for item, value in zip(ITEMS, _view(state, player)[1], strict=True))
    return f"What each is worth to you ({seat_name(player)}): {values}."


def _table(state: SpielState, player: int) -> str:
    """The latest offer, as the player sees it."""
    offers = _offers(state)
    if not offers:
        return "No offer has been made."
    pool, values = _view(state, player)
    seat, kept = offers[-1]
    rest = [whole - part for whole, part in zip(pool, kept, strict=True)]
    mine = kept if seat == player else rest
    worth = sum(value * count for value, count in zip(values, mine, strict=True))
    keeps, gets = ("you keep", f"{seat_name(1 - player)} gets")
    if seat != player:
        keeps, gets = f"{seat_name(seat)} keeps", "you get"
    done = f"Offer {len(offers)} of {state.get_game().get_parameters()['max_turns']} is on the table"
    return f"{done}: {keeps} {_things(kept)}; {gets} {_things(rest)}. It is worth {worth} to you."


def _board(state: SpielState, player: int) -> str:
    return f"The pool: {_things(_view(state, player)[0])}. {_told(state, player)}\n{_table(state, player)}"


def _short(state: SpielState, player: int) -> str:
    return f"values {numbers(_view(state, player)[1])} offers"


def _compact(state: SpielState, player: int) -> str:
    offers = _offers(state)
    limit = state.get_game().get_parameters()["max_turns"]
    line = f"pool {numbers(_view(state, player)[0])} {_short(state, player)} {len(offers)} of {limit}"
    if not offers:
        return line
    seat, kept = offers[-1]
    return f"{line} {'you' if seat == player else 'other'} keep {numbers(kept)}"


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    return _told(state, player), _short(state, player)


def _ending(state: SpielState, player: int) -> str:
    agreed = not _kept(state, moves(state)[-1][1])
    return "The offer was accepted." if agreed else "There was no agreement."


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
