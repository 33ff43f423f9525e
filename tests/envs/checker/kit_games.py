"""Three games that keep every promise."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np

from turnwise.envs.core import IllegalAction, Step, TextGame

SIZES = {"easy": 3, "hard": 6}


class Hunt(TextGame):
    """One seat walks along a row of fields and digs where it was told that treasure lies: 1 for a hit, 0 for a miss."""

    seats = ("player_0",)
    utility_bounds = (0.0, 1.0)
    can_clone = has_ground_truth = has_anchor = has_board = has_solution = True
    levels = tuple(SIZES)

    def __init__(self, *, level: str = "easy", prompt: str = "full") -> None:
        if level not in SIZES:
            raise ValueError(f"level is one of {', '.join(SIZES)}: got {level!r}")
        if prompt not in ("full", "compact"):
            raise ValueError(f"prompt is full or compact: got {prompt!r}")
        self.chosen, self.compact = level, prompt == "compact"

    def start(self, rng: np.random.Generator) -> None:
        self.level, self.task, self.seat = self.chosen, "hunt", "player_0"
        self.at, self.turns = 0, 0
        self.spot = int(rng.integers(SIZES[self.level]))
        rules = "" if self.compact else "Walk and dig. Answer with one action, for example [dig].\n"
        self.news = rules + self.board("player_0")

    def observe(self, seat: str) -> str:
        text, self.news = self.news, ""
        return text

    def board(self, seat: str) -> str:
        return f"field {self.at} of {SIZES[self.chosen]}, treasure at {self.spot}, turn {self.turns}"

    def legal(self) -> tuple[str, ...]:
        if self.seat is None:
            return ()
        right = ("right",) if self.at + 1 < SIZES[self.chosen] else ()
        return ("dig", *right, *(("left",) if self.at else ()))

    def play(self, action: str) -> Step:
        if action not in self.legal():
            raise IllegalAction(f"{action[:20]!r} is not one of {', '.join(self.legal()) or 'no actions: it is over'}")
        self.turns += 1
        if action != "dig":
            self.at += 1 if action == "right" else -1
        over, limit = action == "dig", self.turns == 20
        self.seat = None if over or limit else "player_0"
        self.news = "It is over." if self.seat is None else self.board("player_0")
        reward = {"player_0": float(self.at == self.spot)} if over else {}
        return Step(reward, terminated=over, truncated=limit and not over)

    def solution(self) -> tuple[str, ...]:
        way = self.spot - self.at
        return (*(("right" if way > 0 else "left"),) * abs(way), "dig")

    def ground_truth(self) -> str:
        return str(self.spot)

    def anchor(self) -> str:
        return f"{self.at} {self.spot}"

    def clone(self) -> Self:
        return copy.deepcopy(self)


class Cards(TextGame):
    """Two seats hold a card each and say, at once, whether they stay; of two who stay the higher card wins."""

    seats = ("player_0", "player_1")
    zero_sum = simultaneous = has_secrets = can_clone = True

    def start(self, rng: np.random.Generator) -> None:
        self.cards = [int(card) for card in rng.choice(9, size=2, replace=False)]
        self.said: list[str] = []
        self.seat = "player_0"
        self.unread = [f"You hold card {card}. Answer [stay] or [fold]." for card in self.cards]

    def observe(self, seat: str) -> str:
        player = self.seats.index(seat)
        text, self.unread[player] = self.unread[player], ""
        return text

    def secrets(self, seat: str) -> tuple[str, ...]:
        return (f"You hold card {self.cards[self.seats.index(seat)]}.",)

    def legal(self) -> tuple[str, ...]:
        return ("stay", "fold") if self.seat else ()

    def play(self, action: str) -> Step:
        if action not in self.legal():
            raise IllegalAction("answer stay or fold, while the game lasts")
        self.said.append(action)
        if len(self.said) == 1:
            self.seat = "player_1"
            return Step({})
        self.seat = None
        self.unread = [text + f"\nThey said {' and '.join(self.said)}." for text in self.unread]
        won = (self.said[0] == "stay") - (self.said[1] == "stay")
        if self.said == ["stay", "stay"]:
            won = 1 if self.cards[0] > self.cards[1] else -1
        return Step({"player_0": float(won), "player_1": float(-won)}, terminated=True)

    def clone(self) -> Self:
        return copy.deepcopy(self)


class Chat(TextGame):
    """One seat says three free texts; each may call a tool by its name. Long ones pay a little, at once."""

    seats = ("player_0",)
    utility_bounds = (0.0, 3.0)
    dense_rewards = True

    def start(self, rng: np.random.Generator) -> None:
        self.seat, self.turns, self.news = "player_0", 0, "Say something."

    def observe(self, seat: str) -> str:
        text, self.news = self.news, ""
        return text

    def legal(self) -> None:
        return None

    def sample_action(self, rng: np.random.Generator) -> str:
        return "well " * int(rng.integers(1, 9))

    def play(self, action: str) -> Step:
        if self.seat is None:
            raise IllegalAction("it is over")
        if not action.strip():
            raise IllegalAction("a text holds at least one letter")
        self.turns += 1
        self.seat = "player_0" if self.turns < 3 else None
        self.news = f"You said {len(action)} characters."
        return Step({"player_0": min(1.0, len(action) / 100)}, terminated=self.seat is None)

    def tools(self) -> tuple[dict[str, object], ...]:
        parameters = {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]}
        function = {"name": "look_up", "description": "Look something up.", "parameters": parameters}
        return ({"type": "function", "function": function},)
