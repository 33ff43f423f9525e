"""`Debate`: argue for the side that was drawn, before a judge."""

from __future__ import annotations

import copy
import math
from typing import Any, Self

import numpy as np

from turnwise.envs.core import IllegalAction, Step, TextGame
from turnwise.envs.talk.form_judge import Transcript
from turnwise.envs.talk.judging import ask_judge, ballot, require_judge
from turnwise.envs.talk.speech import Speech, heard, news, spoken, transcript
from turnwise.envs.talk.topics import MOST_SIDES, topics


class Debate(TextGame):
    """Debaters with different sides of a topic speak in turn; a judge scores them, and the highest score wins.

    Args:
        debaters: 2 to 4, player_0 first.
        rounds: Speeches of every debater.
        judge: "form" (a shipped stand-in that measures form, not quality: see `form_judge`), "vote" (one more seat
            names the winner; its own return is 0), a function Transcript -> {seat: score}, or an agent with
            act(requests) that names the winner. It can be pickled.
        judge_deadline_s: Seconds that a judge of your own may take; a late or broken one fails the environment.
        prompt: full or compact (compact shows the last speech alone).
    Reward: +1 for the only highest score and -1 shared by the others; 0 for all where the highest is shared.
    Raises ValueError on a bad argument.
    """

    zero_sum = True
    utility_bounds = (-1.0, 1.0)
    can_clone = has_anchor = has_board = True

    def __init__(
        self,
        *,
        debaters: int = 2,
        rounds: int = 2,
        judge: Any = "form",
        judge_deadline_s: float = 60.0,
        prompt: str = "full",
    ) -> None:
        if not isinstance(debaters, int) or not 2 <= debaters <= MOST_SIDES:
            raise ValueError(f"debaters is a whole number from 2 to {MOST_SIDES}: got {debaters!r}")
        if not isinstance(rounds, int) or not 1 <= rounds <= 100:
            raise ValueError(f"rounds is a whole number from 1 to 100: got {rounds!r}")
        if prompt not in ("full", "compact"):
            raise ValueError(f"prompt is one of full, compact: got {prompt!r}")
        if not (math.isfinite(judge_deadline_s) and judge_deadline_s > 0):
            raise ValueError(f"judge_deadline_s is a number of seconds above 0: got {judge_deadline_s!r}")
        require_judge(judge)
        self.debaters = tuple(f"player_{number}" for number in range(debaters))
        self.voter = f"player_{debaters}" if isinstance(judge, str) and judge == "vote" else None
        self.seats = (*self.debaters, self.voter) if self.voter else self.debaters
        self.rounds, self.judge, self.judge_deadline_s = rounds, judge, judge_deadline_s
        self.compact = prompt == "compact"

    def start(self, rng: np.random.Generator) -> None:
        topic = topics()[int(rng.integers(len(topics())))]
        order = rng.permutation(len(self.debaters))
        self._question = topic.question
        self._sides = tuple(topic.sides[int(place)] for place in order)
        self._speeches: tuple[Speech, ...] = ()
        self._read: dict[str, int] = dict.fromkeys(self.seats, -1)
        self._rewards: dict[str, float] = {}
        self.seat = self.debaters[0]

    def observe(self, seat: str) -> str:
        since, now = self._read[seat], len(self._speeches) + (self.seat is None)
        others = news(self._speeches, seat, max(since, 0))
        due = seat == self.seat or self.seat is None
        if since == now or not (due or others or since < 0) or (self.compact and not due):
            return ""
        self._read = {**self._read, seat: now}
        if seat == self.voter and seat == self.seat:
            return ballot(self._transcript())
        if self.compact:
            return self._compact(seat)
        first = [self._rules(), self._stand(seat)] if since < 0 else []
        return "\n".join([*first, *others, *self._request(seat)])

    def board(self, seat: str) -> str:
        if seat == self.voter and seat == self.seat:
            return ballot(self._transcript())
        parts = [f"Topic: {self._question}", self._stand(seat), transcript(self._speeches), *self._request(seat)]
        return "\n".join(part for part in parts if part)

    def legal(self) -> tuple[str, ...] | None:
        """None for a debater; the names of the debaters for the voter."""
        return self.debaters if self.seat is not None and self.seat == self.voter else None

    def play(self, action: str) -> Step:
        if self.seat is None:
            raise IllegalAction("the game is over")
        if self.seat == self.voter:
            if action not in self.debaters:
                raise IllegalAction(f"name one of {', '.join(self.debaters)}")
            return self._end({seat: float(seat == action) for seat in self.debaters})
        speeches = (*self._speeches, spoken(self.seat, action))
        if len(speeches) < self.rounds * len(self.debaters):
            self._speeches, self.seat = speeches, self.debaters[len(speeches) % len(self.debaters)]
            return Step({})
        self._speeches, self.seat = speeches, self.voter
        if self.voter:
            return Step({})
        return self._end(ask_judge(self.judge, self._transcript(), self.judge_deadline_s))

    def sample_action(self, rng: np.random.Generator) -> str:
        """A few plain sentences for the side of the seat; for the voter a random name."""
        if self.seat == self.voter and self.voter:
            return self.debaters[int(rng.integers(len(self.debaters)))]
        side = self._sides[self.debaters.index(self.seat or self.debaters[0])]
        parts = (
            f"I argue for this: {side}.",
            "The others forget what it costs.",
            f"On the question {self._question.rstrip('?').lower()} experience speaks for {side}.",
            "Their reasons are weaker than they seem.",
            "It is fair, simple and cheap.",
            "Most people would gain from it.",
        )
        picked = sorted(int(place) for place in rng.choice(len(parts), int(rng.integers(1, 4)), replace=False))
        return " ".join(parts[place] for place in picked)

    def anchor(self) -> str:
        return f"{self.seat}|{self._sides}|{self.board(self.seat or self.seats[0])}"

    def clone(self) -> Self:
        return copy.copy(self)  # a state of values that are replaced, never changed

    def _transcript(self) -> Transcript:
        return Transcript(self._question, tuple(zip(self.debaters, self._sides, strict=True)), self._speeches)

    def _end(self, scores: dict[str, float]) -> Step:
        self._rewards = {**dict.fromkeys(self.seats, 0.0), **rewards_of(scores)}
        self.seat = None
        return Step(self._rewards, terminated=True, info={"scores": scores})

    def _stand(self, seat: str) -> str:
        if seat == self.voter:
            return f"You are {seat}. You listen, and name the winner at the end."
        sides = zip(self.debaters, self._sides, strict=True)
        others = "; ".join(f"{other} argues for: {side}" for other, side in sides if other != seat)
        return f"You are {seat}. You argue for: {self._sides[self.debaters.index(seat)]}. {others}."

    def _request(self, seat: str) -> list[str]:
        if self.seat is None:
            winners = [name for name, reward in self._rewards.items() if reward > 0]
            return [f"The debate is over: {f'{winners[0]} wins' if winners else 'it is a draw'}."]
        if seat != self.seat:
            return []
        return [f"Round {len(self._speeches) // len(self.debaters) + 1} of {self.rounds}: write your speech."]

    def _compact(self, seat: str) -> str:
        last = [heard(speech) for speech in self._speeches[-1:] if speech.seat != seat]
        return "\n".join([f"Topic: {self._question}", self._stand(seat), *last, *self._request(seat)])

    def _rules(self) -> str:
        who = f"{self.voter}, who listens, names the winner" if self.voter else "a judge scores the debaters"
        return (
            f"This is a debate on: {self._question}\nThe debaters {', '.join(self.debaters)} speak in this order, "
            f"{self.rounds} times each; then {who}. What is beyond 1000 characters of a speech is cut off."
        )


def rewards_of(scores: dict[str, float]) -> dict[str, float]:
    """+1 for the only highest score and -1 shared equally by the others; 0 for all where the highest is shared."""
    best = max(scores.values())
    winners = [seat for seat, score in scores.items() if score == best]
    if len(winners) > 1:
        return dict.fromkeys(scores, 0.0)
    return {seat: 1.0 if seat == winners[0] else -1.0 / (len(scores) - 1) for seat in scores}
