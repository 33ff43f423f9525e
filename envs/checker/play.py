"""Episodes of random valid play: the raw material of most checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from turnwise.envs.core import TextGame
from turnwise.envs.parsing import write_action
from turnwise.envs.referee import Referee

_PLAYER_STREAM = 0x91A  # keeps the draws of the random player apart from the game's own


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply and what it led to; two turns are equal where nobody could tell them apart."""

    seat: str
    observation: str
    action: str
    """What the random player chose."""
    status: str
    rewards: tuple[tuple[str, float], ...]
    terminated: bool
    truncated: bool


@dataclass(frozen=True, slots=True)
class Episode:
    """A walk from a seed: to the end, or as far as it was allowed to go."""

    turns: tuple[Turn, ...]
    last_words: tuple[str, ...]
    """What each seat reads after the last turn."""
    returns: tuple[tuple[str, float], ...]
    ended: bool

    def of(self, seat: str) -> tuple[str, ...]:
        """The observations of a seat at its turns."""
        return tuple(turn.observation for turn in self.turns if turn.seat == seat)


def player(seed: int) -> np.random.Generator:
    """The generator that the random player of a seed draws from."""
    return np.random.default_rng((seed, _PLAYER_STREAM))


def walk(referee: Referee, seed: int, *, limit: int | None = None) -> Iterator[Turn]:
    """Turn by turn, at most `limit` of them. Between two turns the caller may look at the game."""
    rng = player(seed)
    referee.start(seed)
    while referee.seat is not None and (limit is None or referee.turns < limit):
        yield one_turn(referee, rng)


def one_turn(referee: Referee, rng: np.random.Generator) -> Turn:
    """Let the seat to act read, and play a sampled action."""
    seat, text = referee.seat or "", referee.observe()
    action = referee.game.sample_action(rng)
    outcome = referee.submit(write_action(action, referee.game.legal()))
    rewards = tuple(sorted(outcome.rewards.items()))
    return Turn(seat, text, action, outcome.status, rewards, outcome.terminated, outcome.truncated)


def close(referee: Referee, turns: list[Turn]) -> Episode:
    """The episode of these turns, with what each seat reads now."""
    words = tuple(referee.observe(seat) for seat in referee.game.seats)
    return Episode(tuple(turns), words, tuple(sorted(referee.returns.items())), referee.seat is None)


def episode(referee: Referee, seed: int, *, limit: int | None = None) -> Episode:
    """A whole walk at once."""
    return close(referee, list(walk(referee, seed, limit=limit)))


def continued(game: TextGame, seed: int, limit: int) -> list[tuple[str, str, str, str, bool]]:
    """Play a running game on, without a referee: (seat, observation, action, rewards, over) of every turn."""
    rng = player(seed)
    turns: list[tuple[str, str, str, str, bool]] = []
    while game.seat is not None and len(turns) < limit:
        seat, text = game.seat, game.observe(game.seat)
        action = game.sample_action(rng)
        step = game.play(action)
        turns.append((seat, text, action, repr(sorted(step.rewards.items())), step.terminated or step.truncated))
    return turns


def difference(needed: object, came: object) -> str:
    """Where two walks part, in a line."""
    if not isinstance(needed, Episode) or not isinstance(came, Episode):
        return f"needed {clipped(needed)}, got {clipped(came)}"
    for number, (first, second) in enumerate(zip(needed.turns, came.turns, strict=False)):
        if first != second:
            return f"they part at turn {number + 1}: {clipped(first)} against {clipped(second)}"
    if len(needed.turns) != len(came.turns):
        return f"one has {len(needed.turns)} turns, the other {len(came.turns)}"
    return f"they end differently: {clipped(needed.last_words)} against {clipped(came.last_words)}"


def clipped(value: object, longest: int = 160) -> str:
    """The repr, short enough for a line."""
    text = repr(value)
    return text if len(text) <= longest else f"{text[:longest]}..."
