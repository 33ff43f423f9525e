"""The rules of Simple Negotiation in plain English."""

from __future__ import annotations

from collections.abc import Sequence

from turnwise.envs.negotiation.goods import FIVE_UNITS, TWO_UNITS
from turnwise.envs.negotiation.message import EXAMPLE


def rules(resources: Sequence[str], turns: int) -> str:
    """What every seat reads first."""
    names = ", ".join(resources)
    low, high = FIVE_UNITS
    start = (
        f"Both players start with {TWO_UNITS} of each."
        if len(resources) == 2
        else f"Each player starts with {low} to {high} of each, and does not know what the other has."
    )
    return (
        f"This is a negotiation between two players over {names}. {start} "
        "Each resource has a price for you that only you know; the other player has other prices. "
        f"You write messages in turn, {turns} in all, player_0 first. Talk as you like. "
        "A message may hold one action:\n"
        f"{EXAMPLE.format(*resources)} offers 3 {resources[0]} of yours for 2 {resources[1]} of the other player;\n"
        "[Accept] accepts the offer that stands; [Deny] denies it, and so does any other message.\n"
        "You can only offer what you have. An accepted trade is carried out if both players have what it takes. "
        "At the end the player whose goods have risen more in value, each at their own prices, wins; "
        "an equal rise is a draw."
    )


def outcome(rise: int, reward: float) -> str:
    """What a seat reads when the game is over."""
    result = {1.0: "you win", -1.0: "you lose", 0.0: "it is a draw"}[reward]
    return f"The game is over: the value of your goods changed by {rise:+d}; {result}."
