"""Extended GAE for replies that are cut at a window and go on in the next step (T-PPO)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.credit.annotations import end_value
from turnwise.algorithms.credit.chains import Chain, chains, padded, put, untrained
from turnwise.algorithms.credit.episodes import CreditResult
from turnwise.algorithms.credit.gae import gae, gae_rows
from turnwise.algorithms.credit.groups import Floats
from turnwise.algorithms.credit.returns import discounted_sums
from turnwise.algorithms.credit.whiten import whiten
from turnwise.records import Episode

BOOTSTRAPS = ("last_value", "end_value")


@dataclass(frozen=True, slots=True, kw_only=True)
class TPPOSettings:
    """Settings of extended generalised advantage estimation."""

    gamma: float = 1.0
    """Discount per token, in [0, 1]."""
    lam: float = 0.95
    """Mixing per token, in [0, 1]."""
    bootstrap: str = "last_value"
    """V after an unfinished chunk: the `last_value` before it (the paper), or the critic's `end_value` there."""
    whiten: bool = True
    """Give the advantages of the batch mean 0 and spread 1, each token counted once."""

    def __post_init__(self) -> None:
        require_between("gamma", self.gamma, 0.0, 1.0)
        require_between("lam", self.lam, 0.0, 1.0)
        require_choice("bootstrap", self.bootstrap, BOOTSTRAPS)


def extended_gae(
    rewards: Sequence[float],
    values: Sequence[float],
    *,
    gamma: float,
    lam: float,
    finished: bool,
    end_value: float | None = None,
) -> Floats:
    """GAE of a chunk that may have been cut: the state after the cut is taken to be worth what the last one was.

    Args:
        rewards: [L] given after each token, in task units.
        values: [L] V before each token, in task units.
        finished: Whether the reply ended inside the chunk: the value after it is then 0.
        end_value: V after an unfinished chunk where a critic was asked; None for the last of `values`.
    Returns: [L] float64 in task units, before whitening.
    Source: Fan et al. 2025 (T-PPO), arXiv:2506.15050.
    """
    after = 0.0 if finished or not len(values) else values[-1] if end_value is None else end_value
    return gae(rewards, values, gamma=gamma, lam=lam, bootstrap=after)


def credit(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: TPPOSettings, learner: str = "policy"
) -> CreditResult:
    """The advantage of every token of the learning agent; targets on finished chunks only: what was earned from there.

    A chunk is unfinished where the episode's metadata says `unfinished`, or where it was truncated. The state is {}.
    Raises: ValueError where the value of a trained token is missing, or, with bootstrap end_value, that of the state
        after an unfinished chunk.
    """
    advantages, targets = untrained(episodes), untrained(episodes)
    rows = list(chains(episodes, learner, "token"))
    columns = [chain.column("token_values") for chain in rows]
    rewards, mask = padded([chain.rewards for chain in rows])
    ends = np.array([_after(chain, column, settings) for chain, column in zip(rows, columns, strict=True)])
    found = gae_rows(rewards, padded(columns)[0], mask, gamma=settings.gamma, lam=settings.lam, bootstrap=ends)
    to_go = discounted_sums(rewards, settings.gamma)
    if settings.whiten:
        found[mask] = whiten(found[mask])
    for chain, row, goal in zip(rows, found.tolist(), to_go.tolist(), strict=True):
        put(advantages, chain, row)
        if is_whole(chain.episode):
            put(targets, chain, goal)
    return CreditResult(advantages, {}, targets)


def _after(chain: Chain, values: Sequence[float], settings: TPPOSettings) -> float:
    """V after the last token of a chain: see `extended_gae`."""
    if is_whole(chain.episode):
        return 0.0
    return values[-1] if settings.bootstrap == "last_value" else end_value(chain.episode, chain.seat)


def is_whole(episode: Episode) -> bool:
    """Whether the episode came to its end, rather than to the end of a window of tokens or of its turns."""
    return episode.status == "ok" and not episode.metadata.get("unfinished", False)
