"""`TruthAndDeception`: one seat knows which statement is true and misleads, the other one has to find out."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np

from turnwise.envs.core import IllegalAction, Step, TextGame
from turnwise.envs.talk.speech import Speech, heard, news, spoken, transcript
from turnwise.envs.talk.statements import LEVELS, MOST_LIES, draw_claims

DECEIVER, GUESSER = "player_0", "player_1"


class TruthAndDeception(TextGame):
    """Two seats read statements of which one is true. The deceiver knows which; they talk; the guesser chooses.

    Args:
        level: easy, medium or hard statements.
        statements: 2 to 4, one of them true.
        talk_turns: Messages in all before the choice, 1 to 100; the deceiver writes first, then they take turns.
        prompt: full or compact (compact shows the last message alone).
    Reward: +1 for the guesser and -1 for the deceiver where the choice is true, the reverse where it is not.
    Raises ValueError on a bad argument.
    """

    seats = (DECEIVER, GUESSER)
    zero_sum = True
    utility_bounds = (-1.0, 1.0)
    levels = LEVELS
    can_clone = has_ground_truth = has_anchor = has_board = has_secrets = True

    def __init__(self, *, level: str = "easy", statements: int = 2, talk_turns: int = 4, prompt: str = "full") -> None:
        if level not in LEVELS:
            raise ValueError(f"level is one of {', '.join(LEVELS)}: got {level!r}")
        if not isinstance(statements, int) or not 2 <= statements <= MOST_LIES + 1:
            raise ValueError(f"statements is a whole number from 2 to {MOST_LIES + 1}: got {statements!r}")
        if not isinstance(talk_turns, int) or not 1 <= talk_turns <= 100:
            raise ValueError(f"talk_turns is a whole number from 1 to 100: got {talk_turns!r}")
        if prompt not in ("full", "compact"):
            raise ValueError(f"prompt is one of full, compact: got {prompt!r}")
        self.level, self.statements, self.talk_turns, self.compact = level, statements, talk_turns, prompt == "compact"

    def start(self, rng: np.random.Generator) -> None:
        claims = draw_claims(self.level or "easy", rng)
        lies = rng.permutation(len(claims.lies))[: self.statements - 1]
        said = (claims.truth, *(claims.lies[int(lie)] for lie in lies))
        order = [int(place) for place in rng.permutation(self.statements)]
        self.task = claims.kind
        self._said = tuple(said[place] for place in order)
        self._true = str(order.index(0) + 1)
        self._speeches: tuple[Speech, ...] = ()
        self._read = (-1, -1)
        self._choice: str | None = None
        self.seat = DECEIVER

    def observe(self, seat: str) -> str:
        player = self.seats.index(seat)
        since, now = self._read[player], len(self._speeches) + (self.seat is None)
        others = news(self._speeches, seat, max(since, 0))
        due = seat == self.seat or self.seat is None
        if since == now or not (due or others or since < 0):
            return ""
        self._read = (now, self._read[1]) if player == 0 else (self._read[0], now)
        if self.compact:
            return self._compact(seat)
        first = [self._rules(), self._private(seat), *self._list()] if since < 0 else []
        return "\n".join([*first, *others, *self._request(seat)])

    def board(self, seat: str) -> str:
        parts = [self._private(seat), *self._list(), transcript(self._speeches), *self._request(seat)]
        return "\n".join(part for part in parts if part)

    def legal(self) -> list[str] | None:
        """None while they talk; then the numbers of the statements."""
        if self.seat is None or len(self._speeches) < self.talk_turns:
            return None
        return [str(number + 1) for number in range(self.statements)]

    def play(self, action: str) -> Step:
        if self.seat is None:
            raise IllegalAction("the game is over")
        legal = self.legal()
        if legal is None:
            self._speeches = (*self._speeches, spoken(self.seat, action))
            talking = len(self._speeches) < self.talk_turns
            self.seat = self.seats[len(self._speeches) % 2] if talking else GUESSER
            return Step({})
        if action not in legal:
            raise IllegalAction(f"choose the number of a statement, one of {', '.join(legal)}")
        self._choice, self.seat = action, None
        won = 1.0 if action == self._true else -1.0
        return Step({DECEIVER: -won, GUESSER: won}, terminated=True)

    def sample_action(self, rng: np.random.Generator) -> str:
        number = int(rng.integers(self.statements)) + 1
        if self.legal() is not None:
            return str(number)
        forms = ("I think that {} is true.", "I am sure that {} is false.", "What do you know about {}?")
        return forms[int(rng.integers(len(forms)))].format(f"number {number}")

    def ground_truth(self) -> str:
        return self._true

    def secrets(self, seat: str) -> tuple[str, ...]:
        return (self._private(seat),) if seat == DECEIVER and self.seat is not None else ()

    def anchor(self) -> str:
        return self.board(self.seat or DECEIVER)

    def clone(self) -> Self:
        return copy.copy(self)  # a state of immutable values

    def _private(self, seat: str) -> str:
        return f"You know that statement {self._true} is the true one." if seat == DECEIVER else "You are the guesser."

    def _list(self) -> list[str]:
        return [f"{number}. {said}" for number, said in enumerate(self._said, 1)]

    def _request(self, seat: str) -> list[str]:
        if self.seat is None:
            verdict = "right" if self._choice == self._true else "wrong"
            return [f"The guesser chose {self._choice}, which is {verdict}: {self._true} is true."]
        if seat != self.seat:
            return []
        if self.legal() is None:
            return [f"Message {len(self._speeches) + 1} of {self.talk_turns}: write what you say to the other player."]
        return ["Which statement is true? Answer with its number in square brackets, for example [1]."]

    def _compact(self, seat: str) -> str:
        last = [heard(speech) for speech in self._speeches[-1:] if speech.seat != seat]
        return "\n".join([self._private(seat), *self._list(), *last, *self._request(seat)])

    def _rules(self) -> str:
        return (
            f"Of {self.statements} statements one is true. {DECEIVER}, the deceiver, knows which one and wins if "
            f"{GUESSER}, the guesser, chooses a false one; the guesser wins by choosing the true one. Before the "
            f"choice they write {self.talk_turns} messages in turn, the deceiver first. Anything may be said."
        )
