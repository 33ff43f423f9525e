"""Progress rewards: a turn earns what it changed in the chance that a prover solves the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.credit.groups import Floats, finite_rewards
from turnwise.algorithms.rewards.amounts import Extra, Extras, RewardResult, add_to_learner, missing, own_turns
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class PAVSettings:
    """Settings of the progress reward."""

    alpha: float = 1.0
    """Weight of the prover's advantage beside the reward, >= 0."""
    best_of: int | None = None
    """K: the turn values are chances of one try, and the prover is the best of K tries; None: they are the prover's."""
    bootstrap: bool = False
    """What a truncated episode ends with: its `end_values`; False: nothing more, as after an end."""

    def __post_init__(self) -> None:
        require_between("alpha", self.alpha, 0.0)
        if self.best_of is not None:
            require_between("best_of", self.best_of, 1)


def best_of_k(values: Sequence[float], k: int) -> Floats:
    """1 - (1 - value)^k: the chance that one of k independent tries succeeds.

    Args:
        values: [N] chances of one try, in [0, 1].
        k: Tries, >= 1.
    Returns: [N] float64 in [0, 1].
    Raises: ValueError on a chance or a k outside its range.
    Source: Setlur et al. 2024 (PAV), arXiv:2410.08146, section 4.
    """
    require_between("k", k, 1)
    chances = finite_rewards(values)
    if len(chances) and not 0.0 <= chances.min() <= chances.max() <= 1.0:
        raise ValueError(f"the best of {k} tries needs chances in [0, 1]: got {chances.tolist()}; leave best_of out")
    return 1.0 - (1.0 - chances) ** k


def step_advantages(values: Sequence[float], rewards: Sequence[float] | None = None) -> Floats:
    """r_h + V(next) - V(this): what each step is worth to the prover.

    Args:
        values: [H + 1] the prover's values before each step and at the end, in task units.
        rewards: [H] what the steps paid, in task units; None for nothing.
    Returns: [H] float64 in task units.
    Raises: ValueError if the lengths disagree or a number is not finite.
    Source: Setlur et al. 2024 (PAV), arXiv:2410.08146, section 3.
    """
    known = finite_rewards(values)
    paid = np.zeros(max(len(known) - 1, 0)) if rewards is None else finite_rewards(rewards)
    if len(known) != len(paid) + 1:
        raise ValueError(f"{len(paid)} steps need {len(paid) + 1} values, the end's included: got {len(known)}")
    return paid + known[1:] - known[:-1]


def step_rewards(advantages: Sequence[float], outcome: float, alpha: float) -> Floats:
    """[H] float64 in task units: alpha times each step's advantage, and the outcome on top of the last."""
    rewards = alpha * finite_rewards(advantages)
    rewards[-1:] += outcome
    return rewards


def effective_reward(value: float, advantage: float, alpha: float) -> float:
    """Q of the policy + alpha times A of the prover: what search ranks a step by, in task units.

    Source: Setlur et al. 2024 (PAV), arXiv:2410.08146, section 3.
    """
    return value + alpha * advantage


def progress(episode: Episode, seat: str, settings: PAVSettings) -> dict[int, float]:
    """alpha times the prover's advantage of every turn of a seat, by index of the turn, in task units.

    `Turn.value` is the prover's, for example the mean of its rollouts from the state before the turn. At the end of a
    seat's play there is nothing more to come, so that the last turn's advantage is what it paid less its value.

    Raises: ValueError where a turn, or with `bootstrap` a truncated episode, lacks its value.
    """
    turns = own_turns(episode, seat)
    if not turns:
        return {}
    values = [_value(episode, index) for index in turns]
    if settings.best_of is not None:
        values = best_of_k(values, settings.best_of).tolist()
    rewards = [episode.turns[index].reward for index in turns]
    advantages = step_advantages([*values, _end(episode, seat, settings)], rewards)
    return dict(zip(turns, (settings.alpha * advantages).tolist(), strict=True))


def reward(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: PAVSettings, learner: str = "policy"
) -> RewardResult:
    """Add `progress` to every turn of the learner's seats. The state is always {}.

    Raises: ValueError where a turn, or with `bootstrap` a truncated episode, lacks its value.
    """

    def extras(episode: Episode, seat: str) -> Extras:
        return {"pav": Extra(progress(episode, seat, settings))}

    changed, metrics = add_to_learner(episodes, learner, extras)
    return RewardResult(changed, {}, metrics)


def _value(episode: Episode, index: int) -> float:
    value = episode.turns[index].value
    if value is None:
        remedy = "let a prover roll out from the state before every turn first"
        raise missing("pav", f"the value of turn {index}", episode, remedy)
    return value


def _end(episode: Episode, seat: str, settings: PAVSettings) -> float:
    if not settings.bootstrap or episode.status != "truncated":
        return 0.0
    if episode.end_values is None or seat not in episode.end_values:
        remedy = "let the prover roll out from the state it was cut off in, or set bootstrap: false"
        raise missing("pav", f"end_values of the seat {seat}", episode, remedy)
    value = episode.end_values[seat]
    return value if settings.best_of is None else float(best_of_k([value], settings.best_of)[0])
