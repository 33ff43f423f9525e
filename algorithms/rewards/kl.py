"""KL to a reference policy, taken off the reward instead of added to the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.rewards.amounts import Extra, Extras, RewardResult, add_to_learner, missing, own_turns
from turnwise.records import Episode, Turn

POLICIES = ("trainer", "sampler")


@dataclass(frozen=True, slots=True, kw_only=True)
class KLSettings:
    """Settings of the KL in the reward."""

    beta: float = 0.01
    """Task units per nat, >= 0."""
    policy: str = "trainer"
    """Whose log-probabilities are compared with the reference's: the `trainer`'s before the update, or the
    `sampler`'s."""
    estimator: str = "k1"
    """k1: log p - log p_ref, the exact term; k2 and k3: see `regularize.sampled_kl`."""

    def __post_init__(self) -> None:
        require_between("beta", self.beta, 0.0)
        require_choice("policy", self.policy, POLICIES)
        require_choice("estimator", self.estimator, ("k1", "k2", "k3"))


def turn_kl(logprobs: Sequence[float], reference: Sequence[float], estimator: str = "k1") -> float:
    """KL(policy || reference) of one turn in nats, summed over its tokens; one token's log-ratio is cut at +-20.

    Args:
        logprobs, reference: One per completion token, nats.
        estimator: See `regularize.sampled_kl`.
    Source: Ziegler et al. 2019, arXiv:1909.08593, eq. 2.
    """
    return turn_kls([logprobs], [reference], estimator)[0]


def turn_kls(
    logprobs: Sequence[Sequence[float]], reference: Sequence[Sequence[float]], estimator: str = "k1"
) -> list[float]:
    """`turn_kl` of each of some turns."""
    import torch  # here, so that settings are checked without it

    from turnwise.algorithms.regularize import sampled_kl

    old, other = (
        torch.from_numpy(np.array(list(chain.from_iterable(columns)), dtype=np.float64))
        for columns in (logprobs, reference)
    )
    turn_of = np.repeat(np.arange(len(logprobs)), np.array([len(turn) for turn in logprobs], dtype=np.intp))
    sums: list[float] = np.bincount(turn_of, sampled_kl(old, other, estimator).numpy(), len(logprobs)).tolist()
    return sums


def reward(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: KLSettings, learner: str = "policy"
) -> RewardResult:
    """Take beta times the KL of each turn off the learner's reward for it. The state is always {}.

    Raises: ValueError where a turn with tokens lacks log-probabilities.
    """

    def extras(episode: Episode, seat: str) -> Extras:
        spoken = [index for index in own_turns(episode, seat) if episode.turns[index].completion_ids]
        pairs = [_compared(episode, episode.turns[index], settings) for index in spoken]
        nats = turn_kls([own for own, _ in pairs], [other for _, other in pairs], settings.estimator)
        return {"kl": Extra({index: -settings.beta * kl for index, kl in zip(spoken, nats, strict=True)})}

    changed, metrics = add_to_learner(episodes, learner, extras)
    return RewardResult(changed, {}, metrics)


def _compared(episode: Episode, turn: Turn, settings: KLSettings) -> tuple[Sequence[float], Sequence[float]]:
    """The log-probabilities of the policy and of the reference."""
    old = turn.train_logprobs if settings.policy == "trainer" else turn.logprobs
    if old is None:
        raise missing("kl", "train_logprobs", episode, "let the trainer score the episodes, or set policy: sampler")
    if turn.reference_logprobs is None:
        raise missing("kl", "reference_logprobs", episode, "score the episodes with a reference model first")
    return old, turn.reference_logprobs
