"""Plain return: a turn is worth what its seat got from then on. No baseline: REINFORCE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.credit.episodes import (
    Advantage,
    CreditResult,
    is_trained,
    learner_seats,
    rewards_of_seat,
)
from turnwise.algorithms.credit.groups import Floats
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnSettings:
    """Settings of the plain return."""

    discount: float = 1.0
    """gamma per turn of the same seat, in [0, 1]."""

    def __post_init__(self) -> None:
        require_between("discount", self.discount, 0.0, 1.0)


def rewards_to_go(rewards: Sequence[float], discount: float) -> list[float]:
    """G_t = r_t + gamma G_(t+1), in the rewards' unit; `discount` is per entry. As long as `rewards`."""
    to_go = [0.0] * len(rewards)
    later = 0.0
    for index in range(len(rewards) - 1, -1, -1):
        later = rewards[index] + discount * later
        to_go[index] = later
    return to_go


def discounted_sums(rewards: Floats, discount: float) -> Floats:
    """`rewards_to_go` of many rows at once, in log2(L) steps: after k of them an entry holds its next 2^k terms.

    Args:
        rewards: [R, L] float64, in any unit; 0 after the end of a shorter row, which changes nothing before it.
        discount: gamma per entry, in [0, 1].
    Returns: [R, L] float64 in that unit.
    """
    sums, step = rewards.copy(), 1
    while step < sums.shape[1]:
        sums[:, :-step] += discount**step * sums[:, step:]
        step *= 2
    return sums


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: ReturnSettings, learner: str = "policy"
) -> CreditResult:
    """Reward-to-go of each turn of the learning agent, over the turns of its own seat.

    What a seat got outside of its own turns (its return less the rewards of its turns: the other side ended the
    game) counts at its last turn. The state is always {}.
    """
    return CreditResult([_of_episode(episode, settings.discount, learner) for episode in episodes], {})


def _of_episode(episode: Episode, discount: float, learner: str) -> list[Advantage]:
    credit: list[Advantage] = [None] * len(episode.turns)
    for seat in learner_seats(episode, learner):
        places, rewards = rewards_of_seat(episode, seat)
        for index, value in zip(places, rewards_to_go(rewards, discount), strict=True):
            if is_trained(episode, episode.turns[index], learner):
                credit[index] = value
    return credit
