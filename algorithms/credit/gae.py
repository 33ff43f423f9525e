"""Generalised advantage estimation with a critic, over tokens or over turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.annotations import end_value
from turnwise.algorithms.credit.chains import PER, Chain, chains, padded, put, untrained
from turnwise.algorithms.credit.episodes import CreditResult
from turnwise.algorithms.credit.groups import Floats
from turnwise.algorithms.credit.returns import discounted_sums
from turnwise.algorithms.credit.whiten import whiten
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class GAESettings:
    """Settings of generalised advantage estimation."""

    per: str = "turn"
    """What a time step is: a `turn` with one value before it, or a `token` the policy sampled."""
    gamma: float = 1.0
    """Discount per time step, in [0, 1]; below 1 and per token it makes long turns worth less."""
    lam: float = 0.95
    """Mixing per time step, in [0, 1]; 1 is Monte Carlo, 0 is one-step TD."""
    whiten: bool = True
    """Give the advantages of the batch mean 0 and spread 1, each time step counted once."""
    bootstrap_truncated: bool = True
    """An episode that was cut off goes on with the value of its last state; False takes 0, as released programs do."""

    def __post_init__(self) -> None:
        require_choice("per", self.per, PER)
        require_between("gamma", self.gamma, 0.0, 1.0)
        require_between("lam", self.lam, 0.0, 1.0)


def needs(settings: GAESettings) -> tuple[str, ...]:
    """Values of whatever is a time step."""
    return ("values",) if settings.per == "turn" else ("token_values",)


def gae(
    rewards: Sequence[float],
    values: Sequence[float],
    *,
    gamma: float,
    lam: float,
    bootstrap: float = 0.0,
    mask: Sequence[float] | None = None,
    skip_masked: bool = True,
) -> Floats:
    """Exponentially weighted sum of temporal differences, from every step of one row to its end.

    Args:
        rewards: [L] given after each step, in task units.
        values: [L] V before each step, in task units.
        gamma: Discount per step, in [0, 1].
        lam: Mixing per step, in [0, 1].
        bootstrap: V after the last step: 0 if the episode terminated, V of the state it was cut off in otherwise.
        mask: [L] true where the policy sampled the token; None for everywhere. A token of the environment neither
            bootstraps nor earns anything and shows the advantage of the step after it.
        skip_masked: False lets environment tokens bootstrap like any other, as older programs do.
    Returns: [L] float64 in task units, before whitening; plus `values` it is what a critic is to predict.
    Raises: ValueError if the columns differ in length or hold a number that is not finite.
    Source: Schulman et al. 2016, arXiv:1506.02438, eq. 16.
    """
    _check(rewards, values, mask)
    taken = np.ones(len(rewards), dtype=bool) if mask is None or not skip_masked else np.array(mask, dtype=bool)
    row, column = (np.array(entries, dtype=np.float64)[None] for entries in (rewards, values))
    found: Floats = gae_rows(row, column, taken[None], gamma=gamma, lam=lam, bootstrap=np.array([bootstrap]))[0]
    return found


def gae_rows(
    rewards: Floats, values: Floats, mask: npt.NDArray[np.bool_], *, gamma: float, lam: float, bootstrap: Floats
) -> Floats:
    """`gae` of many rows at once.

    Args:
        rewards, values: [R, L] float64, in task units; nothing is read outside the mask.
        mask: [R, L] bool: the steps that were taken. Another one shows the advantage of the one after it, at the end 0.
        bootstrap: [R] V after the last step of each row.
    Returns: [R, L] float64 in task units.
    """
    count = mask.sum(axis=1)
    first = np.arange(mask.shape[1]) < count[:, None]
    earned, before = np.zeros(mask.shape), np.zeros(mask.shape)
    earned[first], before[first] = rewards[mask], values[mask]  # the steps that were taken, closed up
    after = np.zeros(mask.shape)
    after[:, :-1] = before[:, 1:]
    spoke = count > 0
    after[spoke, count[spoke] - 1] = bootstrap[spoke]
    differences = np.where(first, earned + gamma * after - before, 0.0)
    found = np.pad(discounted_sums(differences, gamma * lam), ((0, 0), (0, 1)))
    return np.take_along_axis(found, np.cumsum(mask, axis=1) - mask, axis=1)


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: GAESettings, learner: str = "policy"
) -> CreditResult:
    """The advantage of every turn or token of the learning agent, and what its critic is to predict there.

    The targets are the advantages before whitening plus the values. The state is always {}.
    Raises: ValueError where a value is missing: of a trained turn, of a token, or of the state where a truncated
        episode stopped.
    """
    advantages, targets = untrained(episodes), untrained(episodes)
    rows = list(chains(episodes, learner, settings.per))
    rewards, mask = padded([chain.rewards for chain in rows])
    values, _ = padded([chain.column("value" if settings.per == "turn" else "token_values") for chain in rows])
    ends = np.array([_value_at_end(chain) if settings.bootstrap_truncated else 0.0 for chain in rows])
    found = gae_rows(rewards, values, mask, gamma=settings.gamma, lam=settings.lam, bootstrap=ends)
    goals = found + values
    metrics = explained_variance(found[mask], goals[mask])
    if settings.whiten:
        found[mask] = whiten(found[mask])
    for chain, row, goal in zip(rows, found.tolist(), goals.tolist(), strict=True):
        put(advantages, chain, row)
        put(targets, chain, goal)
    return CreditResult(advantages, {}, targets, metrics)


def explained_variance(missed: Floats, targets: Floats) -> dict[str, float]:
    """How well the critic foresaw its targets: 1 is perfectly, 0 no better than a constant. {} without any spread.

    missed: [N] what the targets [N] lie above its predictions, the advantages.
    """
    spread = float(np.var(targets)) if targets.size else 0.0
    return {"explained_variance": 1.0 - float(np.var(missed)) / spread} if spread > 0.0 else {}


def _value_at_end(chain: Chain) -> float:
    return end_value(chain.episode, chain.seat) if chain.episode.status == "truncated" else 0.0


def _check(rewards: Sequence[float], values: Sequence[float], mask: Sequence[float] | None) -> None:
    lengths = [len(column) for column in (rewards, values, mask) if column is not None]
    if len(set(lengths)) > 1:
        raise ValueError(f"rewards, values and mask have one entry per step: got {lengths} entries")
    if not (np.isfinite(rewards).all() and np.isfinite(values).all()):
        raise ValueError(f"rewards and values are finite numbers: got {list(rewards)} and {list(values)}")
