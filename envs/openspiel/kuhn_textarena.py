"""Kuhn poker as TextArena plays it: other rules under the same name, kept for comparison with published runs."""

from __future__ import annotations

import copy
from itertools import permutations
from typing import Self

import numpy as np

from turnwise.envs.arguments import clipped
from turnwise.envs.core import IllegalAction, Step, TextGame, Unsupported
from turnwise.envs.openspiel.cards import ranks

DEALS = tuple(permutations(range(3), 2))
LEGAL = {
    (): ("check", "bet"),
    ("check",): ("check", "bet"),
    ("bet",): ("fold", "call"),
    ("check", "bet"): ("fold", "call"),
}
"""The moves of a round so far -> the legal moves. Any other sequence has ended the round."""
POT = 2
"""Bets and calls add nothing to it: this is what sets these rules apart."""
VERBS = {"check": "checks", "bet": "bets", "call": "calls", "fold": "folds"}


class TextArenaKuhn(TextGame):
    """Kuhn poker by the rules of TextArena 0.7.4, which are not Kuhn's.

    The pot is the two antes and never grows, so a call costs nothing; several rounds are played, player_1 opens the
    first one and the opening alternates; more chips at the end win +1 / -1, equal chips are a draw.
    Source: textarena/envs/KuhnPoker/env.py; its report 189 names the chips as a fault.
    """

    seats = ("player_0", "player_1")
    zero_sum = True
    utility_bounds = (-1.0, 1.0)
    can_clone = True
    has_anchor = True

    def __init__(self, *, rounds: int = 3, prompt: str = "full", show_legal_moves: bool | None = None) -> None:
        """Raises ValueError on a bad setting."""
        if rounds < 1:
            raise ValueError(f"rounds is at least 1: got {rounds}")
        if prompt not in ("full", "compact"):
            raise ValueError(f"prompt is one of full, compact: got {prompt!r}")
        self.rounds = rounds
        self._compact = prompt == "compact"
        self._show = not self._compact if show_legal_moves is None else show_legal_moves

    def start(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._round, self._opener = 0, 0
        self._chips = [0, 0]
        self._unread = {seat: [f"{_rules(self.rounds)}\n\nYou are {seat}."] for seat in self.seats}
        self._next_round()

    def observe(self, seat: str) -> str:
        if seat not in self.seats:
            raise ValueError(f"observe needs one of the seats {', '.join(self.seats)}: got {seat!r}")
        lines, self._unread[seat] = self._unread[seat], []
        if not lines:
            return ""
        moves = self.legal() if self._show and seat == self.seat else ()
        if self._compact:
            line = self._line(seat)
            return f"{line} moves {' '.join(moves)}" if moves else line
        if moves:
            lines.append("Legal moves: " + ", ".join(f"[{name}]" for name in moves))
        return "\n".join(lines)

    def legal(self) -> tuple[str, ...]:
        return () if self.seat is None else LEGAL[self._words]

    def play(self, action: str) -> Step:
        if self.seat is None:
            raise IllegalAction(f"{clipped(action)} cannot be played: the game is over")
        if action not in self.legal():
            names = ", ".join(f"[{name}]" for name in self.legal())
            raise IllegalAction(f"{clipped(action)} is not a legal move now; the legal moves are {names}")
        mover = self.seats.index(self.seat)
        self._words += (action,)
        self._unread[self.seats[1 - mover]].append(f"{self.seat} {VERBS[action]}.")
        if self._words in LEGAL:
            self.seat = self.seats[1 - mover]
            return Step({})
        self._end_round(1 - mover if action == "fold" else None)
        return Step({} if self.seat else self._result(), terminated=self.seat is None)

    def lead_in(self) -> str:
        return "" if self.seat is None else f"{self._card(self.seats.index(self.seat))} "

    def lead_ins(self) -> tuple[str, ...]:
        return tuple(f"{rank} " for rank in ranks(3))

    def anchor(self) -> str:
        if self.seat is None:
            raise Unsupported("there is an anchor only where a seat acts: the game is over or has not begun")
        return f"{self.seat} {self._line(self.seat)}"

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def _next_round(self) -> None:
        self._round += 1
        if self._round > self.rounds:
            self.seat = None
            for seat in self.seats:
                self._unread[seat].append(f"The game is over: {self._outcome(seat)}.")
            return
        self._opener = 1 - self._opener
        self._cards = DEALS[int(self._rng.random() * len(DEALS))]
        self._words: tuple[str, ...] = ()
        self.seat = self.seats[self._opener]
        for player, seat in enumerate(self.seats):
            self._unread[seat].append(f"Round {self._round} of {self.rounds}. Your card is the {self._card(player)}.")

    def _end_round(self, winner: int | None) -> None:
        """`winner` None: the higher card wins, and both are shown."""
        shown = ""
        if winner is None:
            winner = 0 if self._cards[0] > self._cards[1] else 1
            shown = f"Showdown: player_0 has the {self._card(0)}, player_1 has the {self._card(1)}. "
        self._chips[winner] += POT - 1
        self._chips[1 - winner] -= 1
        score = f"player_0 {self._chips[0]:+d}, player_1 {self._chips[1]:+d}"
        for seat in self.seats:
            self._unread[seat].append(f"{shown}{self.seats[winner]} wins the round. Chips: {score}.")
        self._next_round()

    def _result(self) -> dict[str, float]:
        lead = float(np.sign(self._chips[0] - self._chips[1]))
        return {"player_0": lead, "player_1": 0.0 - lead}

    def _outcome(self, seat: str) -> str:
        return {1.0: "you win", -1.0: "you lose", 0.0: "it is a draw"}[self._result()[seat]]

    def _card(self, player: int) -> str:
        return ranks(3)[self._cards[player]]

    def _line(self, seat: str) -> str:
        if self.seat is None:
            return f"over {self._result()[seat]:+g}"
        player = self.seats.index(seat)
        chips = f"{self._chips[player]:+d}"
        return f"round {self._round} chips {chips} card {self._card(player)} history {' '.join(self._words) or 'none'}"


def _rules(rounds: int) -> str:
    return (
        f"This is Kuhn poker in the rules of TextArena, {rounds} round{'' if rounds == 1 else 's'} for two players. "
        "The deck is Jack, Queen, King, from low to high. In every round each player pays 1 chip into the pot and gets "
        "one card that the other does not see. As long as nobody has bet you may check or bet; against a bet you call "
        "or fold. Unlike in poker a bet or a call adds nothing to the pot: it stays at 2 chips. After a fold the other "
        "player takes it, otherwise the higher card does. player_1 opens the first round, then the opening alternates. "
        "Who has more chips after the last round wins.\n"
        "Answer with one move in square brackets, for example [check] or [bet]."
    )
