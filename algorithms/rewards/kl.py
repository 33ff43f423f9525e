"""KL to a reference policy, taken off the reward instead of added to the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    import torch  # here, so that settings are checked without it

    from turnwise.algorithms.regularize import sampled_kl

    old, other = (torch.tensor(list(column), dtype=torch.float64) for column in (logprobs, reference))
    return float(sampled_kl(old, other, estimator).sum())


def reward(
    episodes: Sequence[Episode], state: Mapping[str, Any], settings: KLSettings, learner: str = "policy"
) -> RewardResult:
    """Take beta times the KL of each turn off the learner's reward for it. The state is always {}.

    Raises: ValueError where a turn with tokens lacks log-probabilities.
    """

    def extras(episode: Episode, seat: str) -> Extras:
        spoken = [index for index in own_turns(episode, seat) if episode.turns[index].completion_ids]
        return {"kl": Extra({index: _price(episode, episode.turns[index], settings) for index in spoken})}

    changed, metrics = add_to_learner(episodes, learner, extras)
    return RewardResult(changed, {}, metrics)


def _price(episode: Episode, turn: Turn, settings: KLSettings) -> float:
    old = turn.train_logprobs if settings.policy == "trainer" else turn.logprobs
    if old is None:
        raise missing("kl", "train_logprobs", episode, "let the trainer score the episodes, or set policy: sampler")
    if turn.reference_logprobs is None:
        raise missing("kl", "reference_logprobs", episode, "score the episodes with a reference model first")
    return -settings.beta * turn_kl(old, turn.reference_logprobs, settings.estimator)
