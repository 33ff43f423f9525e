"""`TextGame`: what a contributor writes. The views, the rollout and the checker need nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np


class IllegalAction(ValueError):
    """`play` was given a text that is no legal action now. `str(error)` is the reason, fit to be shown to an agent."""


class EnvFailure(RuntimeError):
    """The environment itself hung, died or lost what it plays on: nobody's fault who plays. The episode ends here."""


class Unsupported(NotImplementedError):
    """A game was asked for an optional member that it does not declare."""


class Step(NamedTuple):
    """What one action led to."""

    rewards: Mapping[str, float]
    """Reward of every seat for this action, in task units. Seats that are left out got 0."""
    terminated: bool = False
    """The rules ended the game."""
    truncated: bool = False
    """A limit outside the rules (turns, context) ended the game. Never together with `terminated`."""
    info: Mapping[str, Any] = {}


class TextGame(ABC):
    """A turn-based text environment with one or more seats.

    An object plays one episode at a time: `start`, then while `seat` is not None: `observe(seat)`, `play(action)`.
    All chance comes from the generator given to `start`. A game whose seats move at once asks each seat in turn and
    shows nothing of the answers until all have answered.
    """

    seats: tuple[str, ...]
    """Names of the seats in playing order, at least one; by convention `player_0`, `player_1`, ..."""
    seat: str | None = None
    """Who acts now; None before `start` and when the game is over."""

    zero_sum: bool = False
    utility_bounds: tuple[float, float] = (-1.0, 1.0)
    """(lowest, highest) return that a seat can get, in task units. Invalid-action policies read it."""
    simultaneous: bool = False
    """Seats move at once; they are still asked one after the other."""
    can_clone: bool = False
    has_ground_truth: bool = False
    has_anchor: bool = False
    has_board: bool = False
    has_secrets: bool = False
    """Some seat knows what another may not."""
    has_solution: bool = False
    dense_rewards: bool = False
    """Rewards come before the last turn too."""
    levels: tuple[str, ...] = ()
    """Names of the levels of difficulty, easiest first: what the argument `level` takes. Empty: there are none."""
    task: str | None = None
    """What this episode is about, for example the kind of puzzle; known from `start` on."""
    level: str | None = None
    """Difficulty of this episode, one of `levels`."""

    @abstractmethod
    def start(self, rng: np.random.Generator) -> None:
        """Begin an episode and forget the one before."""

    @abstractmethod
    def observe(self, seat: str) -> str:
        """The text that `seat` has not read yet, and nothing that it may not know.

        At the seat's first turn: rules and private information. A second call without a move between returns "".
        """

    @abstractmethod
    def legal(self) -> Sequence[str] | None:
        """The legal action strings of the seat to act, or None where the action is free text."""

    @abstractmethod
    def play(self, action: str) -> Step:
        """Take one action string of the seat to act. Raises IllegalAction, and changes nothing, if it is not legal."""

    def sample_action(self, rng: np.random.Generator) -> str:
        """A random valid action of the seat to act: uniform over `legal()`. A free-text game has to define its own."""
        legal = self.legal()
        if legal is None:
            raise Unsupported(f"{type(self).__name__} takes free text and defines no sample_action")
        return legal[int(rng.integers(len(legal)))]

    def lead_in(self) -> str:
        """A short truthful text that a scripted reply of the seat to act may open with, for example its card."""
        return ""

    def lead_ins(self) -> tuple[str, ...]:
        """Every text that `lead_in` can return in this game, in any state of any episode."""
        return ("",)

    def clone(self) -> Self:
        """An independent copy, mid-episode too. Only where `can_clone`."""
        raise Unsupported(f"{type(self).__name__} cannot be cloned (can_clone is False)")

    def ground_truth(self) -> str:
        """The right answer of this episode. Only where `has_ground_truth`."""
        raise Unsupported(f"{type(self).__name__} has no ground truth (has_ground_truth is False)")

    def anchor(self) -> str:
        """A canonical key of the state for the seat to act: equal keys, equal states. Only where `has_anchor`."""
        raise Unsupported(f"{type(self).__name__} has no anchors (has_anchor is False)")

    def board(self, seat: str) -> str:
        """The state as `seat` knows it, whole and self-contained; asking changes nothing. Only where `has_board`."""
        raise Unsupported(f"{type(self).__name__} shows no board (has_board is False)")

    def secrets(self, seat: str) -> tuple[str, ...]:
        """Texts that no other seat may have read by now, for example "You hold the King". Only where `has_secrets`."""
        raise Unsupported(f"{type(self).__name__} keeps no secrets (has_secrets is False)")

    def solution(self) -> tuple[str, ...]:
        """Actions of the only seat that lead from here to the highest return it can be sure of; cheap to ask for at
        every turn. Only where `has_solution`, and Unsupported where play has left the states it can be told for.
        """
        raise Unsupported(f"{type(self).__name__} tells no solution (has_solution is False)")

    def tools(self) -> tuple[Mapping[str, Any], ...]:
        """JSON schemas of the tools that the game answers to; none by default."""
        return ()

    def close(self) -> None:  # noqa: B027  # most games hold nothing
        """Let go of processes and files that the game holds; a later `start` takes them anew."""
