"""Backgammon without the doubling cube, in standard notation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves, seat_name

MARKS = "xo"
POINTS = 24
BAR = 100
"""OpenSpiel's number of the bar."""
PASSED = -1
"""OpenSpiel's place of a checker move that is not made."""
LOW_DIE_FIRST = 676
"""Actions from here on play the lower die first."""
SCORING = {
    "winloss_scoring": "The winner gets 1, the loser -1.",
    "enable_gammons": "The winner gets 1, or 2 if the loser has borne off no checker; the loser loses as much.",
    "full_scoring": "The winner gets 1; 2 if the loser has borne off no checker; 3 if the loser also has one on the "
    "bar or among the winner's points 1 to 6. The loser loses as much.",
}


def backgammon(
    *,
    scoring_type: str = "winloss_scoring",
    max_player_turns: int = 500,
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """Backgammon. OpenSpiel's `hyper_backgammon` is not offered: it gives its winner nothing. Raises ValueError."""
    if scoring_type not in SCORING:
        raise ValueError(f"scoring_type is one of {', '.join(SCORING)}: got {scoring_type!r}")
    if max_player_turns < 1:
        raise ValueError(f"max_player_turns is at least 1: got {max_player_turns}")
    return OpenSpielGame(
        "backgammon",
        TEXTS,
        parameters={"scoring_type": scoring_type, "max_player_turns": max_player_turns},
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    rules = game.get_parameters()
    return (
        "This is backgammon without the doubling cube. player_0 has 15 checkers x, player_1 has 15 checkers o. Each "
        "player numbers the 24 points from its own side and moves its checkers from high numbers to low ones; your "
        "point 24 is the other player's point 1. The dice say who begins. In your turn you move one checker by each of "
        "the two dice, or one checker by both in a row; a double is played twice over, in two answers. A checker may "
        "not go to a point that two or more of the other side hold. A single checker that is hit goes to the bar, and "
        "its owner has to bring it in again, on its points 24 to 19, before moving anything else. Once all your "
        "checkers are on your points 6 to 1 you may bear them off. You have to use both dice if you can. "
        f"Who first has borne off all checkers wins. {SCORING[rules['scoring_type']]} "
        f"Once a player has had {rules['max_player_turns']} turns it is a draw.\n"
        "A move names the ways of the checkers in the order in which they are played: 24/18 13/11, 13/11 11/5 for one "
        "checker by both dice, Bar/22 8/5, 4/Off 3/Off; a star behind a way means that it hits a checker, a move by "
        "one die only has one way, and Pass means that nothing can be moved. Where the order of the dice matters and "
        "cannot be seen, the die that is played first stands behind, as in 4/Off 3/Off (5 first).\n"
        "Answer with one move in square brackets, for example [24/18 13/11]."
    )


def _action_name(state: SpielState, action: int) -> str:
    """The ways of the checkers in the order in which they are played."""
    mover = state.current_player()
    ways: list[str] = []
    hit: set[int] = set()
    for part in state.spiel_move_to_checker_moves(mover, action):
        if part.pos != PASSED:
            start = POINTS + 1 if part.pos == BAR else _number(part.pos, mover)
            end = start - part.num
            star = end > 0 and end not in hit and state.board(1 - mover, _place(end, mover)) == 1
            hit |= {end} if star else set()
            ways.append(f"{'Bar' if part.pos == BAR else start}/{end if end > 0 else 'Off'}{'*' if star else ''}")
    return " ".join(ways) or "Pass"


def _number(place: int, reader: int) -> int:
    """OpenSpiel's place 0 to 23 as the reader counts: 24 for its farthest point, 1 for its last."""
    return POINTS - place if reader == 0 else place + 1


def _place(number: int, reader: int) -> int:
    return POINTS - number if reader == 0 else number - 1


def _names(state: SpielState, actions: Sequence[int]) -> list[str]:
    """`action_name`, and the die played first where both orders of the dice read alike, as in bearing off."""
    names = [_action_name(state, action) for action in actions]
    uses = Counter(names)
    low, high = dice(state)
    return [
        name if uses[name] == 1 else f"{name} ({low if action >= LOW_DIE_FIRST else high} first)"
        for name, action in zip(names, actions, strict=True)
    ]


def dice(state: SpielState) -> tuple[int, int]:
    """The dice, the lower one first."""
    low, high = re.findall(r"^Dice: (\d)(\d)", str(state), re.MULTILINE)[0]
    return int(low), int(high)


def borne_off(state: SpielState) -> list[int]:
    """Checkers that x and o have borne off."""
    return [int(count) for count in re.findall(r"^Scores, X: (\d+), O: (\d+)", str(state), re.MULTILINE)[0]]


def checkers(state: SpielState, player: int, reader: int) -> dict[int, int]:
    """Point, as the reader numbers it, -> how many checkers the player has there; highest point first."""
    counts = {point: int(state.board(player, _place(point, reader))) for point in range(POINTS, 0, -1)}
    return {point: count for point, count in counts.items() if count}


def _event(state: SpielState, action: int, reader: int) -> str:
    """The other's dice and moves; one's own dice stand under the board."""
    if not state.is_chance_node():
        actor = state.current_player()
        names = dict(zip(state.legal_actions(), _names(state, state.legal_actions()), strict=True))
        own = "" if names[action] == "Pass" else ", by its own numbers"
        return "" if actor == reader else f"{seat_name(actor)} plays {names[action]}{own}."
    after = state.child(action)
    roller, (low, high) = after.current_player(), dice(after)
    first = not moves(state)
    if roller == reader:
        return f"You roll {high} and {low} and begin." if first else ""
    return f"{seat_name(roller)} rolls {high} and {low}{' and begins' if first else ''}."


def _board(state: SpielState, player: int) -> str:
    """Both sides in the reader's numbers, like a board seen from the reader's chair."""
    there = {seat: checkers(state, seat, player) for seat in range(2)}

    def cell(point: int) -> str:
        return next((f"{MARKS[seat]}{held[point]}" for seat, held in there.items() if point in held), ".")

    def row(points: Sequence[int], show: bool) -> str:
        cells = [f"{cell(point) if show else point:>3}" for point in points]
        return f"{' '.join(cells[:6])} | {' '.join(cells[6:])}"

    far, near = range(13, 25), range(12, 0, -1)
    board = "\n".join((row(far, False), row(far, True), row(near, True), row(near, False)))
    bar = ", ".join(f"{MARKS[seat]} {state.board(seat, BAR)}" for seat in range(2))
    off = ", ".join(f"{MARKS[seat]} {count}" for seat, count in enumerate(borne_off(state)))
    return f"{board}\nOn the bar: {bar}. Borne off: {off}. You are {MARKS[player]}.{_turn(state, player)}"


def _turn(state: SpielState, player: int) -> str:
    if state.is_terminal():
        return ""
    low, high = dice(state)
    mover = state.current_player()
    whose = "You are" if mover == player else f"{seat_name(mover)} is"
    half = ""
    if low == high:
        half = ", second half of a double" if "Extra turn: 1" in str(state) else ", first half of a double"
    return f" {whose} to move with {high} and {low}{half}."


def _compact(state: SpielState, player: int) -> str:
    """Dice, then point:checkers of the reader and of the other, in the reader's numbers."""
    sides = []
    for word, seat in (("you", player), ("other", 1 - player)):
        held = [f"{point}:{count}" for point, count in checkers(state, seat, player).items()]
        bar, off = state.board(seat, BAR), borne_off(state)[seat]
        sides += [word, *held, *([f"bar:{bar}"] if bar else []), *([f"off:{off}"] if off else [])]
    low, high = dice(state)
    return f"dice {high} {low} {' '.join(sides)}"


TEXTS = GameTexts(rules=_rules, action_name=_action_name, names=_names, event=_event, compact=_compact, board=_board)
