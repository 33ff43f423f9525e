"""What every credit function needs to know about episodes: who learns, what counts, and where the numbers go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from turnwise.records import Episode, Turn

Advantage: TypeAlias = float | tuple[float, ...] | None
"""Of one turn, in task units: one number for all of its tokens, one per token, or None where it is not trained."""

TurnCredit: TypeAlias = list[list[Advantage]]
"""One list per episode, one entry per turn."""


class CreditResult(NamedTuple):
    """What a credit method makes of a batch of episodes."""

    advantages: TurnCredit
    state: dict[str, Any]
    """Fit for JSON: to hand to the next batch."""
    targets: TurnCredit | None = None
    """What a critic is to predict before each turn or token, laid out as the advantages; None without a critic."""
    metrics: Mapping[str, float] = {}
    """Figures for the log."""


FINISHED = ("ok", "truncated")


def is_finished(episode: Episode) -> bool:
    """Whether the returns are the game's own. A crashed or timed-out episode trains nothing and moves no statistic."""
    return episode.status in FINISHED


def is_trained(episode: Episode, turn: Turn, learner: str) -> bool:
    """Whether the learning agent took the turn and left tokens to train on."""
    return bool(turn.completion_ids) and episode.seats[turn.seat] == learner


def learner_seats(episode: Episode, learner: str) -> list[str]:
    """Seats that the learning agent held, in seat order, also those that never spoke; none in a crashed episode."""
    if not is_finished(episode):
        return []
    return [seat for seat, agent in episode.seats.items() if agent == learner]


def rewards_of_seat(episode: Episode, seat: str) -> tuple[list[int], list[float]]:
    """The seat's turns and what each of them earned, in task units; they sum to its return.

    What it got outside of its own turns (the other side ended the game) counts at its last turn.
    Returns: indices into `episode.turns`, and as many rewards; both empty where the seat never spoke.
    """
    places = [index for index, turn in enumerate(episode.turns) if turn.seat == seat]
    rewards = [episode.turns[index].reward for index in places]
    if places:
        rewards[-1] = episode.returns[seat] - sum(rewards[:-1])
    return places, rewards


def spread_over_turns(
    episodes: Sequence[Episode],
    per_seat: Sequence[Mapping[str, float | None]],
    learner: str,
    turn_discount: float = 1.0,
) -> TurnCredit:
    """Give each trained turn the value of its seat.

    Args:
        per_seat: Of each episode, the advantage of each seat in task units, or None for a seat that is filtered out.
            A seat that is left out is not trained either.
        turn_discount: gamma per turn of the same seat: turn t of its N turns gets gamma^(N - 1 - t) of the value.
    Returns: One entry per turn, None where the turn is not trained.
    """
    if turn_discount != 1.0:
        pairs = zip(episodes, per_seat, strict=True)
        return [_discounted(episode, values, learner, turn_discount) for episode, values in pairs]
    table: TurnCredit = []
    seats, others = None, False
    for episode, values in zip(episodes, per_seat, strict=True):
        if episode.seats is not seats:  # those of one plan share theirs
            seats = episode.seats
            others = set(seats.values()) != {learner}
        if others:
            values = {seat: value for seat, value in values.items() if episode.seats[seat] == learner}
        table.append([values.get(turn.seat) if turn.completion_ids else None for turn in episode.turns])
    return table


def _discounted(
    episode: Episode, per_seat: Mapping[str, float | None], learner: str, turn_discount: float
) -> list[Advantage]:
    credit: list[Advantage] = [None] * len(episode.turns)
    later: dict[str, float] = {}
    for index in range(len(credit) - 1, -1, -1):
        turn = episode.turns[index]
        weight = later.get(turn.seat, 1.0)
        later[turn.seat] = weight * turn_discount
        value = per_seat.get(turn.seat)
        if value is not None and is_trained(episode, turn, learner):
            credit[index] = value * weight
    return credit


def without_zeros(credit: Sequence[Advantage]) -> list[Advantage]:
    """The same credit with turns of exactly 0 left out of training."""
    return [None if value == 0.0 else value for value in credit]
