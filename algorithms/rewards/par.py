"""Preference as reward: a return counts by how far it lies above what a reference got, and is bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.groups import Floats, finite_rewards
from turnwise.algorithms.rewards.amounts import Extras, RewardResult, add_to_learner, at_last, missing
from turnwise.algorithms.rewards.normalise import sigmoid
from turnwise.records import Episode

MODES = ("sigmoid", "tanh", "centred", "log_sigmoid")
PERCENTILE = 85.0
"""Percentile of the references that `log_sigmoid` centres on."""
FIELD = "reference_returns"


@dataclass(frozen=True, slots=True, kw_only=True)
class PARSettings:
    """Settings of the bounded reward."""

    mode: str = "sigmoid"
    """What is made of k (R - R_ref): its `sigmoid` (PAR), its `tanh`, the difference itself (`centred`), or, against
    the references' 85th percentile, the logarithm of its sigmoid (`log_sigmoid`)."""
    k: float = 1.0
    """Steepness per task unit, > 0."""
    references: int = 10
    """Most references that are used, the first ones, >= 1."""
    fitted: bool = False
    """log_sigmoid only: read the percentile off a normal distribution fitted to the references, as released, instead of
    off the references."""

    def __post_init__(self) -> None:
        require_choice("mode", self.mode, MODES)
        require_between("k", self.k, 0.0, open_low=True)
        require_between("references", self.references, 1)


def par(reward: float, references: Sequence[float], *, k: float = 1.0, mode: str = "sigmoid") -> float:
    """Mean over the references of the sigmoid of k (reward - reference): the chance to be preferred, in (0, 1).

    Args:
        reward: Task units.
        references: [M] task units, M >= 1, for the same task.
        k: Per task unit.
        mode: `sigmoid`; or `tanh` and `centred`, see `PARSettings`.
    Raises: ValueError without a reference, on a number that is not finite or an unknown mode.
    Source: Fu et al. 2025 (PAR), arXiv:2502.18770.
    """
    curves: dict[str, Callable[[Floats], Floats]] = {"sigmoid": sigmoid, "tanh": np.tanh, "centred": np.positive}
    require_choice("mode", mode, tuple(curves))
    return float(curves[mode](k * (reward - _known(reward, references))).mean())


def log_sigmoid(reward: float, references: Sequence[float], *, k: float = 1.0, fitted: bool = False) -> float:
    """log sigmoid(k (reward - p85)), <= 0, where p85 is the 85th percentile of the references.

    fitted: p85 is that of a normal distribution with the references' mean and population std; else it is interpolated
    between references. Arguments and errors as in `par`. Source: Wang et al. 2024, arXiv:2402.00742.
    """
    known = _known(reward, references)
    if fitted:
        centre = float(known.mean()) + NormalDist().inv_cdf(PERCENTILE / 100.0) * float(known.std())
    else:
        centre = float(np.percentile(known, PERCENTILE))
    return -float(np.logaddexp(0.0, -k * (reward - centre)))


def reward(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: PARSettings, learner: str = "policy"
) -> RewardResult:
    """Replace the return of each seat of the learner; the difference goes to its last turn. The state is always {}.

    The references' returns stand in `episode.metadata["reference_returns"]`: seat -> returns of other play of the same
    task, for example by a frozen policy.

    Raises: ValueError where an episode has none for a seat of the learner.
    """

    def extras(episode: Episode, seat: str) -> Extras:
        value, references = episode.returns[seat], _references(episode, seat)[: settings.references]
        if settings.mode == "log_sigmoid":
            shaped = log_sigmoid(value, references, k=settings.k, fitted=settings.fitted)
        else:
            shaped = par(value, references, k=settings.k, mode=settings.mode)
        return {"par": at_last(episode, seat, shaped - value)}

    changed, metrics = add_to_learner(episodes, learner, extras)
    return RewardResult(changed, {}, metrics)


def _references(episode: Episode, seat: str) -> Sequence[float]:
    found: Sequence[float] = episode.metadata.get(FIELD, {}).get(seat, ())
    if not found:
        remedy = "let a reference policy play the same task from the same seed first"
        raise missing("par", f"metadata[{FIELD!r}] for the seat {seat}", episode, remedy)
    return found


def _known(reward: float, references: Sequence[float]) -> Floats:
    require_between("reward", reward)
    if not len(references):
        raise ValueError("a bounded reward needs one reference or more: got none")
    return finite_rewards(references)
