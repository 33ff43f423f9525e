"""The baseline of every token position that makes the gradient's variance least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.chains import Chain, chains, padded, put, untrained
from turnwise.algorithms.credit.episodes import CreditResult
from turnwise.algorithms.credit.groups import SINGLETONS, Floats, for_groups_of_one, group_ids, members, seat_rows
from turnwise.records import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimalTokenBaselineSettings:
    """Settings of the optimal token baseline."""

    eps: float = 1e-8
    """Added to the sum of the energies, > 0."""
    zero_tail: bool = True
    """No baseline where the longest trajectory of a group is alone: it would be its own return."""
    singleton: str = "zero"
    """What a group of one gets: `zero`, its `raw` reward-to-go, or an `error`."""

    def __post_init__(self) -> None:
        require_between("eps", self.eps, 0.0, open_low=True)
        require_choice("singleton", self.singleton, SINGLETONS)


class TokenBaseline(NamedTuple):
    """One group of N trajectories and T positions."""

    returns: Floats
    """[N, T] reward-to-go, in task units."""
    energy: Floats
    """[N, T] sum over the trajectory's tokens so far of the squared length of the score at the logits."""
    baseline: Floats
    """[T] at each position, in task units; 0 where nobody has a token."""
    advantages: Floats
    """[N, T] in task units, 0 outside the mask."""


def optimal_token_baseline(
    rewards: npt.ArrayLike,
    probs: npt.ArrayLike,
    squared_probs: npt.ArrayLike,
    mask: npt.ArrayLike,
    *,
    zero_tail: bool = True,
    eps: float = 1e-8,
    multi_turn: bool = False,
) -> TokenBaseline:
    """G_t - B_t, where B_t is the mean of G_t over the group, weighted by W_t = sum to t of (1 - 2 p + sum of p^2).

    Args:
        rewards: [N, T] at each token of the trajectories of one group, in task units.
        probs: [N, T] probability of the sampled token.
        squared_probs: [N, T] sum of the squared probabilities of all tokens there.
        mask: [N, T] true on the tokens that the policy sampled; nothing else is read at the others.
        zero_tail: No baseline for the one longest trajectory beyond the end of the second longest. A group of one
            never has a baseline.
        multi_turn: Compare the t-th sampled tokens of the trajectories, wherever they stand in their rows; False
            compares columns.
    Raises: ValueError unless all four have one shape, or on a number inside the mask that is not finite.
    Source: verl's optimal_token_baseline and tir_optimal_token_baseline.
    """
    inside = np.asarray(mask, dtype=bool)
    rewards, probs, squared = (
        _inside(name, column, inside)
        for name, column in (("rewards", rewards), ("probs", probs), ("squared_probs", squared_probs))
    )
    returns = np.cumsum(rewards[:, ::-1], axis=1)[:, ::-1]
    energy = np.cumsum(np.where(inside, np.maximum(1.0 - 2.0 * probs + squared, 0.0), 0.0), axis=1)
    place = np.cumsum(inside, axis=1) - 1 if multi_turn else np.broadcast_to(np.arange(inside.shape[1]), inside.shape)
    width = inside.shape[1]
    weighted = np.bincount(place[inside], (returns * energy)[inside], width)
    baseline = weighted / (np.bincount(place[inside], energy[inside], width) + eps)
    here = baseline[np.maximum(place, 0)] if width else np.zeros_like(returns)
    if len(inside) < 2 or zero_tail:
        here = np.where(_without_company(inside, place), 0.0, here)
    return TokenBaseline(returns, energy, baseline, np.where(inside, returns - here, 0.0))


def credit(
    episodes: Sequence[Episode],
    state: Mapping[str, Any],
    settings: OptimalTokenBaselineSettings,
    learner: str = "policy",
) -> CreditResult:
    """An advantage per token; the t-th tokens of a group's trajectories are compared across turns. The state is {}.

    Seats without tokens take no part in their group.
    Raises: ValueError if an episode has no group, or a trained turn lacks train_logprobs or squared_probs.
    """
    named = {(row.place, row.seat): row.group for row in seat_rows(episodes, learner)}
    rows = list(chains(episodes, learner, "token"))
    ids = group_ids([named[chain.place, chain.seat] for chain in rows], len(rows))
    for_groups_of_one(np.zeros(len(rows)), np.zeros(len(rows)), ids, settings.singleton)  # warns, or refuses
    table = untrained(episodes)
    for places in members(ids):
        group = [rows[index] for index in places]
        for chain, values in zip(group, _of_group(group, settings), strict=True):
            put(table, chain, values.tolist())
    return CreditResult(table, {})


def _of_group(group: Sequence[Chain], settings: OptimalTokenBaselineSettings) -> list[Floats]:
    """[L] advantages of each chain of one group."""
    lengths = [len(chain.rewards) for chain in group]
    rewards, mask = padded([chain.rewards for chain in group])
    result = optimal_token_baseline(
        rewards,
        np.exp(padded([chain.column("train_logprobs") for chain in group])[0]),
        padded([chain.column("squared_probs") for chain in group])[0],
        mask,
        zero_tail=settings.zero_tail,
        eps=settings.eps,
    )
    if len(group) == 1:
        return [result.returns[0] if settings.singleton == "raw" else np.zeros(lengths[0])]
    return [row[:length] for row, length in zip(result.advantages, lengths, strict=True)]


def _without_company(inside: npt.NDArray[np.bool_], place: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """[N, T] the tokens of the one longest trajectory beyond the second longest; all of them in a group of one."""
    lengths = inside.sum(axis=1)
    if len(lengths) < 2:
        return inside
    second = int(np.sort(lengths)[-2])
    longest: npt.NDArray[np.bool_] = lengths > second
    return longest[:, None] & (place >= second)


def _inside(name: str, column: npt.ArrayLike, inside: npt.NDArray[np.bool_]) -> Floats:
    values = np.asarray(column, dtype=np.float64)
    if values.shape != inside.shape:
        raise ValueError(f"{name} and the mask have one entry per token: got shapes {values.shape} and {inside.shape}")
    kept = np.where(inside, values, 0.0)
    if not np.isfinite(kept).all():
        raise ValueError(f"{name} are finite numbers where the mask is true: got {values.tolist()}")
    return kept
