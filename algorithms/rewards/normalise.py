"""Rewards brought to a common scale: by running statistics, or squashed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.episodes import learner_seats
from turnwise.algorithms.credit.groups import Floats, finite_rewards
from turnwise.algorithms.rewards.amounts import Extras, RewardResult, add_to_learner, at_last
from turnwise.records import Episode

MODES = ("mean_std", "min_max", "clip", "tanh", "sigmoid")
RUNNING = ("count", "mean", "squares", "low", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class NormaliseSettings:
    """Settings of the normalisation."""

    mode: str = "mean_std"
    """`mean_std`: (R - mean) / std. `min_max`: to [0, 1]. `clip`: to mean +- std. `tanh`, `sigmoid`: squashed. The
    statistics are those of all returns so far, this batch's included."""
    k: float = 1.0
    """Steepness of `tanh` and `sigmoid`, per task unit, > 0."""

    def __post_init__(self) -> None:
        require_choice("mode", self.mode, MODES)
        require_between("k", self.k, 0.0, open_low=True)


def running_statistics(values: Sequence[float], state: Mapping[str, Any]) -> dict[str, Any]:
    """The statistics of everything so far, these values included.

    Args:
        values: [N] task units.
        state: {} at the start, else what the call before returned.
    Returns: `count`; `mean`, `low` and `high` in task units; `squares`, the sum of squared distances from the mean.
        {} as long as there was no value.
    Raises: ValueError if `state` is not one that this function returned, or a value is not finite.
    Source: Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
    """
    if state and state.keys() != set(RUNNING):
        raise ValueError(f"running statistics are {{}} or have the keys {', '.join(RUNNING)}: got {sorted(state)}")
    new = finite_rewards(values)
    if not len(new):
        return dict(state)
    if not state:
        state = {"count": 0, "mean": 0.0, "squares": 0.0, "low": float(new[0]), "high": float(new[0])}
    before, count = state["count"], state["count"] + len(new)
    distance = float(new.mean()) - state["mean"]
    return {
        "count": count,
        "mean": state["mean"] + distance * len(new) / count,
        "squares": state["squares"] + float(new.var()) * len(new) + distance**2 * before * len(new) / count,
        "low": min(state["low"], float(new.min())),
        "high": max(state["high"], float(new.max())),
    }


def population_std(state: Mapping[str, Any]) -> float:
    """Population standard deviation of everything in the statistics, in task units; 0 where nothing is."""
    return float((state["squares"] / state["count"]) ** 0.5) if state else 0.0


def normalise(values: Sequence[float], state: Mapping[str, Any], mode: str, k: float = 1.0) -> Floats:
    """[N] float64: the values on the scale of `mode` (see `NormaliseSettings`).

    Where all values so far are equal, mean_std gives 0 and min_max 0.5.

    Args:
        values: [N] task units.
        state: Statistics that hold the values already (`running_statistics`).
    Source: the baselines in Fu et al. 2025 (PAR), arXiv:2502.18770.
    """
    require_choice("mode", mode, MODES)
    raw = finite_rewards(values)
    if mode == "tanh":
        return np.tanh(k * raw)
    if mode == "sigmoid":
        return sigmoid(k * raw)
    if not len(raw):
        return raw
    mean, std = state["mean"], population_std(state)
    if mode == "mean_std":
        return (raw - mean) / std if std > 0.0 else np.zeros_like(raw)
    if mode == "clip":
        return np.clip(raw, mean - std, mean + std)
    width = state["high"] - state["low"]
    return (raw - state["low"]) / width if width > 0.0 else np.full_like(raw, 0.5)


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + e^-x), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * values))


def reward(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: NormaliseSettings, learner: str = "policy"
) -> RewardResult:
    """Replace the return of each seat of the learner; the difference goes to its last turn.

    The state is that of `running_statistics`.
    """
    seats = [(place, seat) for place, episode in enumerate(episodes) for seat in learner_seats(episode, learner)]
    returns = [episodes[place].returns[seat] for place, seat in seats]
    after = running_statistics(returns, state)
    scaled = iter(normalise(returns, after, settings.mode, settings.k).tolist())

    def extras(episode: Episode, seat: str) -> Extras:
        return {"normalise": at_last(episode, seat, next(scaled) - episode.returns[seat])}

    changed, metrics = add_to_learner(episodes, learner, extras)
    return RewardResult(changed, after, metrics)
