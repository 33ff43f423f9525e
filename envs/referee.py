"""`Referee`: the one place where a reply meets a game. Both views and the rollout play through it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from turnwise.envs.core import EnvFailure, IllegalAction, Step, TextGame
from turnwise.envs.invalid import Forfeit, InvalidPolicy, NoOp, Penalty, RandomLegal, Retry, invalid_policy
from turnwise.envs.parsing import read_action

_LONGEST_REASON = 1000  # characters; a reason may echo a reply of any length
_MOST_NAMES = 20  # legal actions that a reason lists
_RANDOM_LEGAL_STREAM = 0x1E6A1  # keeps the draws of RandomLegal apart from the game's own


class Outcome(NamedTuple):
    """What one reply led to."""

    seat: str
    """Who replied."""
    action: str | None
    """The action that was read from the reply, or None where none could be read."""
    status: str
    """"ok", "unparsable", "illegal", "truncated" (the reply was cut at the token limit) or "env_error"."""
    rewards: Mapping[str, float]
    """Reward per seat, in task units. Seats that are left out got 0."""
    terminated: bool
    truncated: bool
    """Never together with `terminated`."""
    info: Mapping[str, Any]
    """The game's own info; after an invalid reply `reason`, and `played` where another action was played instead."""


_outcome = partial(tuple.__new__, Outcome)
"""What `Outcome._make` does, for much less than the call of the class: there is one for every turn."""


class Referee:
    """Plays one episode of a game from free-text replies and counts what every seat has got.

    invalid: a policy of `envs.invalid`, or its name. max_turns: the episode is truncated after so many replies.
    Raises ValueError where either is impossible.
    """

    def __init__(self, game: TextGame, *, invalid: object = "forfeit", max_turns: int | None = None) -> None:
        if max_turns is not None and max_turns < 1:
            raise ValueError(f"max_turns is at least 1, or None for no limit: got {max_turns}")
        self.game = game
        self.invalid: InvalidPolicy = invalid_policy(invalid)
        self.max_turns = max_turns
        self.seat: str | None = None
        """Who acts now; None before `start` and when the episode is over."""
        self.returns: dict[str, float] = {}
        """Sum of the rewards of each seat so far, in task units."""
        self.turns = 0
        """Replies so far, invalid ones too."""
        self.status = "ok"
        """"truncated" once a limit has ended the episode, "env_error" once the environment itself has failed; and what
        else `fail` was given."""
        self.failure: str | None = None
        """Why the environment (or an agent) failed, where it did."""
        self._seed = 0
        self._rng: np.random.Generator | None = None
        self._failures = 0
        self._notices: dict[str, str] = {}
        self._read: dict[str, str] = {}

    def start(self, seed: int, rng: np.random.Generator | None = None) -> None:
        """Begin an episode; everything in it follows from the seed and the replies.

        rng: what `default_rng(seed)` makes, where the caller has it already. Where the environment fails here, the
        episode is over at once: `status` is "env_error".
        """
        self.failure = None
        try:
            self.game.start(np.random.default_rng(seed) if rng is None else rng)
            self.seat = self.game.seat
        except EnvFailure as error:
            self.failure, self.seat = str(error), None
        self.returns = dict.fromkeys(self.game.seats, 0.0)
        self.turns = self._failures = 0
        self.status = "ok" if self.failure is None else "env_error"
        self._seed = seed
        self._rng = None
        self._notices.clear()
        self._read.clear()

    def observe(self, seat: str | None = None) -> str:
        """What the seat (default: who acts now) has not read yet: notices of invalid replies, then the game's text.

        A seat that is asked again reads the text of before once more, for an agent that keeps only the latest one.
        """
        reader = self.seat if seat is None else seat
        if reader is None:
            raise ValueError("observe needs a seat once the episode is over: say whose observation is wanted")
        if self.failure is not None:
            return f"The environment failed: {self.failure}"
        try:
            text = self.game.observe(reader)
        except EnvFailure as error:
            self.fail(error)
            return f"The environment failed: {error}"
        if text:
            self._read[reader] = text
        if not self._notices:
            return text
        notice = self._notices.pop(reader, "")
        if notice and not text and self.seat is not None:
            text = self._read.get(reader, "")
        return f"{notice}\n{text}" if notice and text else notice or text

    def submit(self, reply: str, *, cut: bool = False) -> Outcome:
        """Play the reply of the seat to act. cut: it ended at the token limit, so that no action is read from it."""
        seat = self.seat
        if seat is None:
            raise RuntimeError("submit needs a running episode: it is over, or start(seed) was never called")
        self.turns += 1
        try:
            if cut:
                return self._invalid(seat, None, "truncated", "it was cut at the token limit")
            action = read_action(reply, self.game.legal())
            if action is None:
                return self._invalid(seat, None, "unparsable", self._unparsable_reason())
            return self._play(seat, action)
        except EnvFailure as error:
            return self._failed(seat, error)

    def take(self, action: str) -> Outcome:
        """Play an action that was picked from the live game: what `submit` does with it, written as a reply."""
        seat = self.seat
        if seat is None or self.game.legal() is None:
            return self.submit(action)
        self.turns += 1
        try:
            return self._play(seat, action)
        except EnvFailure as error:
            return self._failed(seat, error)

    def _failed(self, seat: str, error: EnvFailure) -> Outcome:
        self.fail(error)
        return Outcome(seat, None, "env_error", {}, False, True, {"reason": self.failure})

    def fail(self, error: Exception, status: str = "env_error") -> None:
        """End the episode without a verdict on anybody: no reward, and a status that says whose failure it was."""
        self.failure, self.status, self.seat = str(error), status, None

    def clone(self) -> Referee:
        """An independent copy, mid-episode too. A game that cannot be cloned is pickled."""
        twin = copy.copy(self)
        twin.game = self.game.clone() if self.game.can_clone else pickle.loads(pickle.dumps(self.game))
        twin.returns, twin._notices, twin._read = self.returns.copy(), self._notices.copy(), self._read.copy()
        twin._rng = copy.deepcopy(self._rng)
        return twin

    def _play(self, seat: str, action: str) -> Outcome:
        try:
            step = self.game.play(action)
        except IllegalAction as error:
            return self._invalid(seat, action, "illegal", str(error))
        self._failures = 0
        return self._settle(seat, action, "ok", step, step.info)

    def _settle(self, seat: str, action: str | None, status: str, step: Step, info: Mapping[str, Any]) -> Outcome:
        """Book a step and find out whether the episode goes on."""
        rewards, terminated, truncated, _ = step
        if rewards:
            for name, reward in rewards.items():
                self.returns[name] += reward
        if not (terminated or truncated) and self.max_turns is not None and self.turns >= self.max_turns:
            truncated = True
            self._notices |= dict.fromkeys(self.game.seats, f"The game was stopped after {self.turns} turns.")
        if truncated:
            self.status = "truncated"
        self.seat = None if terminated or truncated else self.game.seat
        return _outcome((seat, action, status, rewards, terminated, truncated, info))

    def _invalid(self, seat: str, action: str | None, status: str, reason: str) -> Outcome:
        """Carry the policy out for a reply that is no legal action."""
        self._failures += 1
        info = {"reason": reason if len(reason) <= _LONGEST_REASON else reason[:_LONGEST_REASON] + "..."}
        step = self._punish(self.invalid, seat, self._failures, info)
        return self._settle(seat, action, status, step, info)

    def _punish(self, policy: InvalidPolicy, seat: str, failures: int, info: dict[str, Any]) -> Step:
        """The step that the policy makes of the latest of so many invalid replies in a row."""
        match policy:
            case Retry(attempts, then) if failures > attempts:
                return self._punish(then, seat, failures - attempts, info)
            case Retry() | NoOp():
                self._notices[seat] = f"Your last reply was not valid: {info['reason']}. Reply again."
                return Step({})
            case Penalty(amount, then):
                step = self._punish(then, seat, failures, info)
                return step._replace(rewards={**step.rewards, seat: step.rewards.get(seat, 0.0) - amount})
            case RandomLegal():
                return self._play_random(seat, info)
            case Forfeit():
                return self._forfeit(policy, seat, info)

    def _play_random(self, seat: str, info: dict[str, Any]) -> Step:
        if self._rng is None:
            self._rng = np.random.default_rng((self._seed, _RANDOM_LEGAL_STREAM))
        action = self.game.sample_action(self._rng)
        step = self.game.play(action)
        self._failures = 0
        info |= {**step.info, "played": action}
        self._notices[seat] = f"Your last reply was not valid: {info['reason']}. A random action was played: {action}."
        return step

    def _forfeit(self, policy: Forfeit, seat: str, info: dict[str, Any]) -> Step:
        game = self.game
        lost = game.utility_bounds[0] if policy.offender is None else policy.offender
        won = policy.others
        if won is None and game.zero_sum and len(game.seats) == 2:
            won = -lost
        rewards = {seat: lost - self.returns[seat]}
        for other in game.seats:
            if other != seat:
                rewards[other] = 0.0 if won is None else won - self.returns[other]
                self._notices[other] = f"The game is over: {seat} forfeited it by a reply that was not valid."
        self._notices[seat] = f"The game is over: your last reply was not valid ({info['reason']}), which forfeits it."
        return Step(rewards, terminated=True)

    def _unparsable_reason(self) -> str:
        legal = self.game.legal()
        if legal is None:
            return "it holds no text"
        names = ", ".join(f"[{name}]" for name in legal[:_MOST_NAMES])
        return f"no action was found in it; legal actions: {names}{', ...' if len(legal) > _MOST_NAMES else ''}"
