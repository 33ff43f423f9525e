"""One policy gradient for many methods: which policy divides, which advantage counts, which tokens pass.

grad = mask A / pi_ref grad pi = mask A pi / pi_ref grad log pi. With it comes hybrid post-training (HPT): a gate that
lets each task learn either from its own rollouts or from a demonstration.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from turnwise.algorithms.checks import require_between, require_choice


class Token(NamedTuple):
    """One token, and what the methods want to know about it."""

    pi: float
    """Its probability now, in (0, 1]."""
    pi_old: float
    """Its probability before the update, in (0, 1]."""
    advantage: float
    """In task units."""
    sequence_log_ratio: float = 0.0
    """Sum of log(pi / pi_old) over its sequence, in nats (GSPO)."""
    sequence_length: int = 1
    """Tokens in its sequence (GSPO)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnifiedSettings:
    """Bounds of the methods."""

    clip: float = 0.2
    """Distance of both bounds from ratio 1 (PPO, GRPO, GSPO), at least 0."""
    cispo_high: float = 0.28
    """Distance of the upper bound from weight 1 (CISPO), at least 0."""
    luffy_gamma: float = 0.1
    """gamma of the shaping p / (p + gamma) (LUFFY), > 0."""

    def __post_init__(self) -> None:
        require_between("clip", self.clip, 0.0)
        require_between("cispo_high", self.cispo_high, 0.0)
        require_between("luffy_gamma", self.luffy_gamma, 0.0, open_low=True)


class Estimate(NamedTuple):
    """The three choices of a method at one token."""

    reference: float
    """pi_ref: the probability that divides."""
    advantage: float
    """A as the method uses it."""
    mask: float = 1.0
    """0 where the method lets nothing pass, else 1."""

    @property
    def on_probability(self) -> float:
        """What multiplies grad pi."""
        return self.mask * self.advantage / self.reference

    def on_log_probability(self, pi: float) -> float:
        """What multiplies grad log pi."""
        return self.on_probability * pi


def _sft(token: Token, settings: UnifiedSettings) -> Estimate:
    return Estimate(token.pi, 1.0)


def _reinforce(token: Token, settings: UnifiedSettings) -> Estimate:
    return Estimate(token.pi, token.advantage)


def _ppo(token: Token, settings: UnifiedSettings) -> Estimate:
    passes = _passes(token.pi / token.pi_old, token.advantage, settings.clip)
    return Estimate(token.pi_old, token.advantage, passes)


def _cispo(token: Token, settings: UnifiedSettings) -> Estimate:
    weight = min(token.pi / token.pi_old, 1.0 + settings.cispo_high)
    return Estimate(token.pi / weight, token.advantage)


def _gspo(token: Token, settings: UnifiedSettings) -> Estimate:
    ratio = math.exp(token.sequence_log_ratio / token.sequence_length)
    return Estimate(token.pi / ratio, token.advantage, _passes(ratio, token.advantage, settings.clip))


def _srft_offline(token: Token, settings: UnifiedSettings) -> Estimate:
    return Estimate(1.0, token.advantage)


def _luffy(token: Token, settings: UnifiedSettings) -> Estimate:
    return Estimate(1.0, token.advantage * luffy_slope(token.pi, settings.luffy_gamma))


def _passes(ratio: float, advantage: float, clip: float) -> float:
    """PPO's clip as an indicator: 0 where a step in the advantage's direction leads further out."""
    beyond = (advantage > 0 and ratio > 1.0 + clip) or (advantage < 0 and ratio < 1.0 - clip)
    return 0.0 if beyond else 1.0


ESTIMATORS: dict[str, Callable[[Token, UnifiedSettings], Estimate]] = {
    "sft": _sft,
    "reinforce": _reinforce,
    "ppo": _ppo,
    "grpo": _ppo,
    "cispo": _cispo,
    "gspo": _gspo,
    "srft_offline": _srft_offline,
    "luffy": _luffy,
}
"""The offline parts of SRFT and LUFFY: tokens of demonstrations, whose own policy is not known."""


def estimate(method: str, token: Token, settings: UnifiedSettings) -> Estimate:
    """pi_ref, advantage and mask of a method at one token.

    Raises: ValueError on an unknown method.
    Source: Lv et al. 2025, "Towards a unified view of LLM post-training", arXiv:2509.04419, table 1.
    """
    require_choice("method", method, tuple(ESTIMATORS))
    return ESTIMATORS[method](token, settings)


def luffy_shape(pi: float, gamma: float = 0.1) -> float:
    """p / (p + gamma): near 0 it grows much faster than p, so that rare tokens of a demonstration are learnt."""
    return pi / (pi + gamma)


def luffy_slope(pi: float, gamma: float = 0.1) -> float:
    """Derivative of `luffy_shape`, gamma / (p + gamma)^2. Source: Yan et al. 2025 (LUFFY), arXiv:2504.14945."""
    return gamma / (pi + gamma) ** 2


class Gate(NamedTuple):
    """What a task learns from; the loss is `rollouts` L_RL + `demonstration` L_SFT."""

    solved_share: float
    """Solved rollouts over all, in [0, 1]."""
    rollouts: float
    """alpha: 1 where the task's own rollouts count, else 0 (then all of them are dropped)."""
    demonstration: float
    """beta: 1 where one demonstration takes their place, else 0."""


def gate(solved: int, rollouts: int, gate_count: int = 0) -> Gate:
    """Rollouts where more than `gate_count` of them solved the task, else the demonstration.

    Raises: ValueError unless 0 <= solved <= rollouts and there is at least one rollout.
    Source: as `estimate`, section 4, and the released program, which compares the count.
    """
    require_between("rollouts", rollouts, 1)
    require_between("solved", solved, 0, rollouts)
    learns_alone = solved > gate_count
    return Gate(solved / rollouts, float(learns_alone), float(not learns_alone))
