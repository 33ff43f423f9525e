"""IGPO: every turn earns what it added to the likelihood of the right answer, the last turn the outcome."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.episodes import CreditResult, TurnCredit, is_trained
from turnwise.algorithms.credit.gain import SCORES, answer_score, information_gains
from turnwise.algorithms.credit.groups import (
    Floats,
    Ids,
    SeatRow,
    alone,
    centred,
    finite_rewards,
    group_ids,
    seat_rows,
    spread,
)
from turnwise.algorithms.credit.returns import discounted_sums, rewards_to_go
from turnwise.records import Episode, Turn

NORM_MODES = ("separate", "joint", "scaled_separate", "raw_ig", "none")
VARIANCE_FLOOR = 1e-8
"""Added to a pool's variance before the root is taken."""
LEAST_OUTCOME, LARGEST_FACTOR = 0.3, 10.0
"""Bounds of `scaled_separate`: of the mean absolute outcome, and of the factor on the gains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IGPOSettings:
    """Settings of the information-gain advantage."""

    norm_mode: str = "separate"
    """`separate`: gains and outcomes of a group are normalised apart. `joint`: in one pool. `scaled_separate`: apart,
    then the gains are brought to the size of the outcomes. `raw_ig`: gains are divided by their spread but not
    centred, the outcome is added to every turn with a gain, nothing accumulates. `none`: both as they are."""
    divide_by_std: bool = True
    """Divide by the standard deviation of the pool; False only centres (`raw_ig` divides its gains all the same)."""
    eps: float = 1e-6
    """Added to the standard deviation, >= 0."""
    gamma: float = 1.0
    """Discount per turn of the same seat, in [0, 1]; `raw_ig` takes 0."""
    adaptive_gamma_min_weight: float = 0.0
    """w, in [0, 1]: above 0, a seat with n gains takes gamma = w^(1 / (n + 1)), n >= 1, however long it played."""
    ig_weight: float = 1.0
    """Factor on the normalised gains."""
    outcome_weight: float = 1.0
    """Factor on the normalised outcomes."""
    zero_is_missing: bool = False
    """Treat a gain of exactly 0 as no gain, as the released code does."""
    score: str = "logprob"
    """Gains are differences of the answer's mean `logprob` per token, or of exp of it (`prob`)."""
    format_penalty: float | None = None
    """What replaces the gain of a turn that could not be read, or the outcome where it is the last turn, in task
    units; None leaves both."""

    def __post_init__(self) -> None:
        require_choice("norm_mode", self.norm_mode, NORM_MODES)
        require_choice("score", self.score, SCORES)
        require_between("eps", self.eps, 0.0)
        require_between("gamma", self.gamma, 0.0, 1.0)
        require_between("adaptive_gamma_min_weight", self.adaptive_gamma_min_weight, 0.0, 1.0)
        require_between("ig_weight", self.ig_weight)
        require_between("outcome_weight", self.outcome_weight)
        if self.format_penalty is not None:
            require_between("format_penalty", self.format_penalty)


def igpo_advantages(
    gains: Sequence[Sequence[float | None]],
    outcomes: Sequence[float],
    group: Sequence[Hashable],
    settings: IGPOSettings,
) -> list[list[float]]:
    """Normalised gains and outcomes, accumulated from the last turn back: A_t = gain_t + gamma A_(t+1).

    Args:
        gains: [N] one list per trajectory, one entry per turn, None where the turn has no gain; the last turn of a
            trajectory has none, it has the outcome. A trajectory without turns counts in the outcomes' statistics.
        outcomes: [N] in task units.
        group: [N] names; equal names compare with each other.
    Returns: One list per trajectory, one advantage per turn. A turn without a gain adds nothing of its own.
    Raises: ValueError on numbers that are not finite, or a last turn with a gain.
    Source: Wang et al. 2025 (IGPO), arXiv:2510.14967, section 3; scaled_separate, raw_ig and the adaptive discount:
        code of DR-Venus.
    """
    turns = [_present(row, settings.zero_is_missing) for row in gains]
    ids = group_ids(group, len(turns))
    sizes = [sum(value is not None for value in row) for row in turns]
    flat = finite_rewards([value for row in turns for value in row if value is not None])
    gain, outcome = _normalised(flat, np.repeat(ids, sizes), finite_rewards(outcomes), ids, settings)
    gain, outcome = gain * settings.ig_weight, outcome * settings.outcome_weight
    if settings.norm_mode == "raw_ig":
        gain = gain + np.repeat(outcome, sizes)
    upcoming = iter(gain.tolist())
    return [
        _accumulated([0.0 if value is None else next(upcoming) for value in row], float(last), size, settings)
        for row, last, size in zip(turns, outcome, sizes, strict=True)
    ]


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: IGPOSettings, learner: str = "policy"
) -> CreditResult:
    """Gains from the answer's log-prob before successive turns of a seat; its last turn earns its return.

    A turn has a gain if the answer was scored before it and before the next turn of its seat. A turn without tokens
    and without a score is passed over. A group is (episode.group, seat). The state is always {}.

    Raises: ValueError if seats took several turns and the answer was scored before none of them.
    """
    rows = seat_rows(episodes, learner)
    seats = [_seat(episodes[row.place], row, settings) for row in rows]
    _require_scores(episodes, seats)
    values = igpo_advantages(
        [seat.gains for seat in seats], [seat.outcome for seat in seats], [row.group for row in rows], settings
    )
    table: TurnCredit = [[None] * len(episode.turns) for episode in episodes]
    for row, seat, advantages in zip(rows, seats, values, strict=True):
        episode = episodes[row.place]
        for place, value in zip(seat.places, advantages, strict=True):
            table[row.place][place] = value if is_trained(episode, episode.turns[place], learner) else None
    return CreditResult(table, {}, metrics=_figures(seats))


def position_baseline(
    token_rewards: Sequence[Sequence[float]], mask: Sequence[Sequence[float]], group: Sequence[Hashable]
) -> Floats:
    """What the first public code did: undiscounted reward-to-go per token less the group's mean at its position.

    Args:
        token_rewards: [N, T] in task units.
        mask: [N, T] 1 on tokens that count (tool output included), 0 on padding.
        group: [N] names; equal names compare with each other.
    Returns: [N, T] float64, 0 where `mask` is 0. The mean divides by the number of rows, padded ones too.
    Source: first code released with arXiv:2510.14967; a compatibility mode only.
    """
    inside = np.asarray(mask, dtype=np.float64)
    to_go = discounted_sums(np.array(token_rewards, dtype=np.float64).reshape(inside.shape), 1.0) * inside
    ids = group_ids(group, len(to_go))
    columns = [centred(column, ids) for column in to_go.T]
    return np.array(columns, dtype=np.float64).reshape(inside.T.shape).T * inside


class _Seat(NamedTuple):
    """What one seat of one episode brings into the statistics."""

    places: list[int]
    gains: list[float | None]
    outcome: float
    scored: int
    """Turns before which the answer was scored."""


def _seat(episode: Episode, row: SeatRow, settings: IGPOSettings) -> _Seat:
    own = [(index, turn) for index, turn in enumerate(episode.turns) if turn.seat == row.seat]
    places = [index for index, turn in own if turn.completion_ids or turn.answer_logprob is not None]
    turns = [episode.turns[index] for index in places]
    scores = [
        None if turn.answer_logprob is None else answer_score(turn.answer_logprob, settings.score) for turn in turns
    ]
    gains, outcome = _penalised(turns, information_gains(scores), episode.returns[row.seat], settings.format_penalty)
    return _Seat(places, gains, outcome, sum(score is not None for score in scores))


def _penalised(
    turns: Sequence[Turn], gains: list[float | None], outcome: float, penalty: float | None
) -> tuple[list[float | None], float]:
    """Gains and outcome, the penalty in place of those of turns that could not be read."""
    unreadable = [penalty is not None and turn.status == "unparsable" for turn in turns]
    if not any(unreadable) or penalty is None:
        return gains, outcome
    replaced = [penalty if wrong else gain for gain, wrong in zip(gains[:-1], unreadable[:-1], strict=True)]
    return [*replaced, None], penalty if unreadable[-1] else outcome


def _require_scores(episodes: Sequence[Episode], seats: Sequence[_Seat]) -> None:
    longer = any(len(seat.places) > 1 for seat in seats)
    if longer and not any(seat.scored for seat in seats):
        raise ValueError(
            f"IGPO needs answer_logprob of turns: got {len(episodes)} episodes without any; let the trainer score the "
            "ground truth before every turn, or choose a method of outcomes alone (grpo, rloo)"
        )


def _figures(seats: Sequence[_Seat]) -> dict[str, float]:
    gains = [gain for seat in seats for gain in seat.gains if gain is not None]
    if not gains:
        return {}
    return {"gain_mean": float(np.mean(gains)), "gain_std": float(np.std(gains)), "gains": float(len(gains))}


def _present(row: Sequence[float | None], zero_is_missing: bool) -> list[float | None]:
    if row and row[-1] is not None:
        raise ValueError(f"the last turn of a trajectory has the outcome and no gain: got a gain of {row[-1]}")
    return [None if zero_is_missing and value == 0.0 else value for value in row]


def _normalised(
    gains: Floats, gain_ids: Ids, outcomes: Floats, ids: Ids, settings: IGPOSettings
) -> tuple[Floats, Floats]:
    """Gains [G] and outcomes [N], each entry against its pool."""
    if settings.norm_mode == "none":
        return gains, outcomes
    if settings.norm_mode == "joint":
        both = _against_pool(np.concatenate([gains, outcomes]), np.concatenate([gain_ids, ids]), settings)
        return both[: len(gains)], both[len(gains) :]
    outcome = _against_pool(outcomes, ids, settings)
    gain_ids = group_ids(gain_ids.tolist(), len(gains))  # groups without any gain have no pool
    if settings.norm_mode == "raw_ig":
        return gains / (_deviation(gains, gain_ids) + settings.eps), outcome
    gain = _against_pool(gains, gain_ids, settings)
    if settings.norm_mode == "scaled_separate" and len(gain):
        gain = gain * _factor(float(np.abs(outcome).mean()), float(np.abs(gain).mean()) + settings.eps)
    return gain, outcome


def _factor(outcome_size: float, gain_size: float) -> float:
    """What brings the gains to the size of the outcomes, at most LARGEST_FACTOR."""
    target = max(outcome_size, LEAST_OUTCOME)
    return target / gain_size if gain_size * LARGEST_FACTOR > target else LARGEST_FACTOR


def _against_pool(values: Floats, ids: Ids, settings: IGPOSettings) -> Floats:
    difference = centred(values, ids)
    return difference / (_deviation(values, ids) + settings.eps) if settings.divide_by_std else difference


def _deviation(values: Floats, ids: Ids) -> Floats:
    """[N] population standard deviation of each value's pool, never 0; 1 for a pool of one."""
    return np.where(alone(ids), 1.0, np.sqrt(spread(values, ids, 0) ** 2 + VARIANCE_FLOOR))


def _accumulated(earned: list[float], outcome: float, gains: int, settings: IGPOSettings) -> list[float]:
    """A_t = earned_t + gamma A_(t+1), where the last turn earned the outcome."""
    gamma = settings.gamma
    if settings.norm_mode == "raw_ig":
        gamma = 0.0
    elif settings.adaptive_gamma_min_weight > 0.0 and gains:
        gamma = settings.adaptive_gamma_min_weight ** (1.0 / (gains + 1))
    return rewards_to_go([*earned[:-1], outcome], gamma) if earned else []
