"""How a term changes rewards: turns, returns and the parts that the returns are made of stay consistent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from turnwise.algorithms.credit.episodes import learner_seats
from turnwise.records import Episode

TASK = "task"
"""The part that holds what the environment paid, before any term."""


class RewardResult(NamedTuple):
    """What a term makes of a batch of episodes."""

    episodes: list[Episode]
    state: dict[str, Any]
    """Fit for JSON: to hand to the next batch."""
    metrics: Mapping[str, float] = {}
    """Figures for the log."""


class Extra(NamedTuple):
    """What one part adds to one seat, in task units."""

    per_turn: Mapping[int, float] = {}
    """Index of a turn of the episode -> amount."""
    outside: float = 0.0
    """Added to the return only, where the seat never spoke."""

    @property
    def total(self) -> float:
        """What the seat's return changes by."""
        return sum(self.per_turn.values()) + self.outside


Extras = Mapping[str, Extra]
"""Name of the part -> what it adds to one seat."""


def own_turns(episode: Episode, seat: str) -> list[int]:
    """Indices of the turns that the seat took, ascending."""
    return [index for index, turn in enumerate(episode.turns) if turn.seat == seat]


def at(place: int | None, amount: float) -> Extra:
    """All of the amount at one turn, or outside where there is none."""
    return Extra(outside=amount) if place is None else Extra({place: amount})


def at_last(episode: Episode, seat: str, amount: float) -> Extra:
    """All of the amount at the seat's last turn; outside where it never spoke."""
    return at(max(own_turns(episode, seat), default=None), amount)


def add_to_learner(
    episodes: Sequence[Episode], learner: str, extras_of: Callable[[Episode, str], Extras]
) -> tuple[list[Episode], dict[str, float]]:
    """The episodes with `extras_of(episode, seat)` added to every seat of the learner.

    A crashed episode and one without the learner stay as they are.

    Returns: The episodes, and per part `mean_<part>`: the mean of what it added to a seat, in task units.
    """
    changed, sums, seats = [], dict[str, float](), 0
    for episode in episodes:
        extras = {seat: extras_of(episode, seat) for seat in learner_seats(episode, learner)}
        seats += len(extras)
        for part, extra in _flat(extras.values()):
            sums[part] = sums.get(part, 0.0) + extra.total
        changed.append(add(episode, extras) if extras else episode)
    return changed, {f"mean_{part}": value / seats for part, value in sums.items()}


def add(episode: Episode, extras: Mapping[str, Extras]) -> Episode:
    """The episode with amounts added to rewards, returns and parts. `extras`: seat -> part -> what it adds."""
    rewards = [turn.reward for turn in episode.turns]
    for _, extra in _flat(extras.values()):
        for place, amount in extra.per_turn.items():
            rewards[place] += amount
    returns, parts = dict(episode.returns), parts_of(episode)
    for seat, of_seat in extras.items():
        for part, extra in of_seat.items():
            returns[seat] += extra.total
            amounts = parts.setdefault(part, dict.fromkeys(episode.seats, 0.0))
            amounts[seat] = amounts.get(seat, 0.0) + extra.total
    return with_rewards(episode, rewards, returns, parts)


def with_rewards(
    episode: Episode, rewards: Sequence[float], returns: Mapping[str, float], parts: Mapping[str, Mapping[str, float]]
) -> Episode:
    """The episode with other rewards: one per turn, a return per seat, and what the returns are made of."""
    turns = [
        turn if turn.reward == value else replace(turn, reward=value)
        for turn, value in zip(episode.turns, rewards, strict=True)
    ]
    return replace(episode, turns=tuple(turns), returns=returns, reward_parts=parts)


def parts_of(episode: Episode) -> dict[str, dict[str, float]]:
    """A copy of what the returns are made of; all of it is the task's where nothing is known."""
    if episode.reward_parts is None:
        return {TASK: dict(episode.returns)}
    return {part: dict(amounts) for part, amounts in episode.reward_parts.items()}


def task_return(episode: Episode, seat: str) -> float:
    """What the environment paid the seat, in task units, whatever terms have added since."""
    return parts_of(episode).get(TASK, episode.returns).get(seat, episode.returns[seat])


def missing(term: str, field: str, episode: Episode, remedy: str) -> ValueError:
    """A term lacks what it reads."""
    return ValueError(f"the reward term {term} needs {field}: episode {episode.id!r} has none; {remedy}")


def _flat(extras: Iterable[Extras]) -> list[tuple[str, Extra]]:
    return [pair for of_seat in extras for pair in of_seat.items()]
