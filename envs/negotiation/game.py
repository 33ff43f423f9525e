"""`SimpleNegotiation`: trade for your own gain, in free text, with somebody whose prices you do not know."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np

from turnwise.envs.core import IllegalAction, Step, TextGame
from turnwise.envs.negotiation.goods import FIVE_PRICES, TWO, Goods, draw_endowments, worth
from turnwise.envs.negotiation.message import Message, Offer, goods_text, read_message
from turnwise.envs.negotiation.texts import outcome, rules

LARGEST_SAMPLED_WISH = 10


class SimpleNegotiation(TextGame):
    """Two seats write `turns` messages in turn; who gains more at its own prices wins +1 / -1, equal gains are 0.

    A message is free text with at most one of `[Offer: 3 Wood -> 2 Gold]`, `[Accept]`, `[Deny]`. An offer stands for
    one message of the other seat: anything but an accept denies it. A trade is carried out if both hold what it moves.
    Invalid: offering what one does not hold, accepting where no offer stands, two actions, an offer nobody can read.
    Source: the third training game of SPIRAL, arXiv:2506.24119; `resources=5` is the form of TextArena.
    """

    seats = ("player_0", "player_1")
    zero_sum = True
    utility_bounds = (-1.0, 1.0)
    can_clone = True

    def __init__(self, *, resources: int = 2, values: str | None = None, turns: int = 10, prompt: str = "full") -> None:
        """values: "fixed" (the default with 2 resources) or "random" (the only one with 5). Raises ValueError."""
        if resources not in (2, 5):
            raise ValueError(f"resources is 2 or 5: got {resources}")
        values = values or ("fixed" if resources == 2 else "random")
        if values not in ("fixed", "random") or (resources, values) == (5, "fixed"):
            raise ValueError(f"values is 'random', or 'fixed' with resources=2: got {values!r} and {resources}")
        if turns < 1:
            raise ValueError(f"turns is at least 1: got {turns}")
        if prompt not in ("full", "compact"):
            raise ValueError(f"prompt is one of full, compact: got {prompt!r}")
        self.resources = TWO if resources == 2 else tuple(FIVE_PRICES)
        self.turns = turns
        self._values, self._compact = values, prompt == "compact"

    def start(self, rng: np.random.Generator) -> None:
        endowments = draw_endowments(len(self.resources), self._values, rng)
        self._holdings = [dict(endowment.units) for endowment in endowments]
        self._prices: list[Goods] = [endowment.prices for endowment in endowments]
        self._worth_at_start = [worth(endowment.units, endowment.prices) for endowment in endowments]
        self._written = 0
        self._offer: Offer | None = None
        self._heard = ["", ""]
        introduction = rules(self.resources, self.turns)
        self._unread = [
            [f"{introduction}\n\nYou are {seat}.", f"Your price per unit: {_priced(self._prices[player])}."]
            for player, seat in enumerate(self.seats)
        ]
        self.seat = self.seats[0]

    def observe(self, seat: str) -> str:
        if seat not in self.seats:
            raise ValueError(f"observe needs one of the seats {', '.join(self.seats)}: got {seat!r}")
        player = self.seats.index(seat)
        lines, self._unread[player] = self._unread[player], []
        if not lines:
            return ""
        if self._compact:
            return self._compact_text(player)
        if self.seat is not None:
            lines.append(f"Turn {self._written + 1} of {self.turns}. You have {goods_text(self._holdings[player])}.")
        if self._offer and seat == self.seat:
            give, want = goods_text(self._offer.want), goods_text(self._offer.give)
            lines.append(f"An offer stands: you give {give} and get {want}.")
        return "\n".join(lines)

    def legal(self) -> None:
        """None: free text."""
        return

    def play(self, action: str) -> Step:
        if self.seat is None:
            raise IllegalAction("no message can be sent: the game is over")
        message = read_message(action, self.resources)
        player = self.seats.index(self.seat)
        self._check(message, player)
        self._heard[1 - player] = message.text
        self._unread[1 - player].append(f'{self.seat} says: "{message.text}"')
        self._answer(message, player)
        self._offer = message.offer
        self._written += 1
        self.seat = self.seats[1 - player]
        return self._end() if self._written == self.turns else Step({})

    def sample_action(self, rng: np.random.Generator) -> str:
        """An offer that the seat can keep or talk; where an offer stands also a denial, and an accept it can pay."""
        player = 0 if self.seat is None else self.seats.index(self.seat)
        choices = ["I am open to offers.", self._random_offer(player, rng)]
        if self._offer:
            choices.append("[Deny]")
            if _covers(self._holdings[player], self._offer.want):
                choices.append("[Accept]")
        return choices[int(rng.integers(len(choices)))]

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def _check(self, message: Message, player: int) -> None:
        if message.act == "accept" and self._offer is None:
            raise IllegalAction("there is no offer to accept")
        if message.offer and not _covers(self._holdings[player], message.offer.give):
            have = goods_text(self._holdings[player])
            raise IllegalAction(f"you offer {goods_text(message.offer.give)} but you have {have}")

    def _answer(self, message: Message, player: int) -> None:
        """Settle the offer that stands, if any. A denial is news to its proposer only."""
        if self._offer is None:
            return
        seat = self.seats[player]
        if message.act != "accept":
            self._unread[1 - player].append(f"{seat} denies the offer.")
        elif _covers(self._holdings[player], self._offer.want):
            self._trade(1 - player, player, self._offer.give)
            self._trade(player, 1 - player, self._offer.want)
            self._tell(f"{seat} accepts the offer and the trade is carried out.")
        else:
            self._tell(f"{seat} accepts the offer, but does not have what it takes: nothing is traded.")

    def _trade(self, giver: int, taker: int, goods: Goods) -> None:
        for resource, count in goods.items():
            self._holdings[giver][resource] -= count
            self._holdings[taker][resource] += count

    def _tell(self, line: str) -> None:
        for unread in self._unread:
            unread.append(line)

    def _rise(self, player: int) -> int:
        return worth(self._holdings[player], self._prices[player]) - self._worth_at_start[player]

    def _rewards(self) -> tuple[float, float]:
        lead = float(np.sign(self._rise(0) - self._rise(1)))
        return lead, 0.0 - lead

    def _end(self) -> Step:
        self.seat, self._offer = None, None
        rewards = self._rewards()
        for player, unread in enumerate(self._unread):
            unread.append(outcome(self._rise(player), rewards[player]))
        return Step(dict(zip(self.seats, rewards, strict=True)), terminated=True)

    def _compact_text(self, player: int) -> str:
        """One line: turn, goods, prices, the standing offer as the reader would trade it, the last message heard."""
        if self.seat is None:
            return f"over {self._rewards()[player]:+g}"
        have, prices = _words(self._holdings[player]), _words(self._prices[player])
        line = f"{self.seats[player]} turn {self._written + 1} of {self.turns} have {have} price {prices}"
        if self._offer and self.seats[player] == self.seat:
            line += f" offer give {_words(self._offer.want)} get {_words(self._offer.give)}"
        return f'{line} heard "{self._heard[player]}"' if self._heard[player] else line

    def _random_offer(self, player: int, rng: np.random.Generator) -> str:
        held = [resource for resource, count in self._holdings[player].items() if count]
        give = held[int(rng.integers(len(held)))]
        others = [resource for resource in self.resources if resource != give]
        want = others[int(rng.integers(len(others)))]
        amount = int(rng.integers(1, self._holdings[player][give] + 1))
        return f"[Offer: {amount} {give} -> {int(rng.integers(1, LARGEST_SAMPLED_WISH + 1))} {want}]"


def _covers(holdings: Goods, goods: Goods) -> bool:
    return all(holdings[resource] >= count for resource, count in goods.items())


def _priced(prices: Goods) -> str:
    return ", ".join(f"{resource} {price}" for resource, price in prices.items())


def _words(goods: Goods) -> str:
    return " ".join(f"{resource} {count}" for resource, count in goods.items())
