"""Liar's dice for two: bid on all the dice, see only your own."""

from __future__ import annotations

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves, seat_name

BIDDING_RULES = {
    "reset-face": "A bid is higher if it names more dice, or as many dice with a higher face.",
    "reset-quantity": "A bid is higher if it names a higher face, or the same face on more dice.",
}


def liars_dice(
    *,
    numdice: int = 1,
    dice_sides: int = 6,
    bidding_rule: str = "reset-face",
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """Liar's dice with `numdice` dice a player, the highest face wild. Raises ValueError on a bad setting."""
    if bidding_rule not in BIDDING_RULES:
        raise ValueError(f"bidding_rule is one of {', '.join(BIDDING_RULES)}: got {bidding_rule!r}")
    if numdice < 1 or dice_sides < 2:
        raise ValueError(f"liars_dice needs numdice >= 1 and dice_sides >= 2: got {numdice} and {dice_sides}")
    return OpenSpielGame(
        "liars_dice",
        TEXTS,
        parameters={"numdice": numdice, "dice_sides": dice_sides, "bidding_rule": bidding_rule},
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    parameters = game.get_parameters()
    dice, sides = parameters["numdice"], parameters["dice_sides"]
    each = "one die" if dice == 1 else f"{dice} dice"
    return (
        f"This is liar's dice for two players. Each rolls {each} with faces 1 to {sides} and looks at it in secret. "
        f"In turn you either make a higher bid on the dice of both players together, or call liar. "
        f"The bid 2x5 says: at least two dice show a 5. Face {sides} is wild, it counts as every face. "
        f"{BIDDING_RULES[parameters['bidding_rule']]} "
        "At the call of liar all dice are shown: if the last bid is true its bidder wins, else the caller wins. "
        "player_0 bids first.\n"
        "Answer with your move in square brackets, for example [1x3] or [liar]."
    )


def _rolls(state: SpielState) -> list[int]:
    """The faces rolled so far, player_0's dice first."""
    return [move.action + 1 for move in state.full_history() if move.player < 0]


def _dice(state: SpielState, player: int) -> str:
    count = state.get_game().get_parameters()["numdice"]
    return " ".join(map(str, sorted(_rolls(state)[player * count : (player + 1) * count])))


def _action_name(state: SpielState, action: int) -> str:
    text: str = state.action_to_string(action)
    return text.lower().replace("-", "x")


def _event(state: SpielState, action: int, reader: int) -> str:
    if state.is_chance_node():
        return _roll_event(state, action, reader)
    actor, name = state.current_player(), _action_name(state, action)
    if actor == reader:
        return ""
    return f"{seat_name(actor)} calls liar." if name == "liar" else f"{seat_name(actor)} bids {name}."


def _roll_event(state: SpielState, action: int, reader: int) -> str:
    """The reader's dice, when its last one falls."""
    if len(_rolls(state)) + 1 != (reader + 1) * state.get_game().get_parameters()["numdice"]:
        return ""
    return f"Your dice: {_dice(state.child(action), reader)}."


def _bids(state: SpielState) -> list[str]:
    return [_action_name(state, action) for _, action in moves(state)]


def _whole(state: SpielState, player: int) -> str:
    """The player's dice, and who bid what."""
    bids = [f"{seat_name(index % 2)} {bid}" for index, bid in enumerate(_bids(state))]
    return f"Your dice: {_dice(state, player)}.\nBids so far: {', '.join(bids) or 'none'}."


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    """The dice in the words of both prompts, until all are shown."""
    dice = _dice(state, player)
    return () if state.is_terminal() else (f"Your dice: {dice}.", f"dice {dice} bids")


def _compact(state: SpielState, player: int) -> str:
    return f"dice {_dice(state, player)} bids {' '.join(_bids(state)) or 'none'}"


def _ending(state: SpielState, player: int) -> str:
    return "All dice: " + ", ".join(f"{seat_name(seat)} has {_dice(state, seat)}" for seat in range(2)) + "."


TEXTS = GameTexts(
    rules=_rules,
    action_name=_action_name,
    event=_event,
    compact=_compact,
    whole=_whole,
    secrets=_secrets,
    ending=_ending,
)
