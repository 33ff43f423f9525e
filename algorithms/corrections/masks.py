"""Masks: whole sequences (or the tokens of a bad one) are dropped where trainer and sampler are too far apart.

All return [N, T] of 0 and 1, without gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.corrections.inputs import CorrectionInputs
from turnwise.algorithms.corrections.mismatch import average_k3, geometric_rho, largest_k3, masked_mean, token_rho

OLD = ("sampler", "trainer")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometricSettings:
    """Interval of the geometric mean of a sequence's weights, both ends included."""

    low: float = 0.999
    """A sequence whose mean weight lies below is dropped; > 0."""
    high: float = 1.001
    """A sequence whose mean weight lies above is dropped; at least `low`."""

    def __post_init__(self) -> None:
        require_between("low", self.low, 0.0, open_low=True)
        require_between("high", self.high, self.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class TRMSettings:
    """Trust region of a sequence's worst token."""

    delta: float = 0.05
    """Largest k3 that a token may have, in nats, at least 0."""

    def __post_init__(self) -> None:
        require_between("delta", self.delta, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanK3Settings:
    """Trust region of a sequence's mean token."""

    delta: float = 0.01
    """Largest mean k3 that a sequence may have, in nats, at least 0."""

    def __post_init__(self) -> None:
        require_between("delta", self.delta, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OPSMSettings:
    """Off-policy sequence masking."""

    delta: float = 1e-4
    """Mean log(old / new) per token above which a bad sequence is dropped, in nats."""
    old: str = "sampler"
    """Whose log-probs are the old ones: the `sampler`'s, so that both kinds of drift count, or the `trainer`'s."""

    def __post_init__(self) -> None:
        require_between("delta", self.delta)
        require_choice("old", self.old, OLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class VetoSettings:
    """One impossible token spoils its sequence."""

    threshold: float = 1e-4
    """Smallest weight rho that a token may have, at least 0."""

    def __post_init__(self) -> None:
        require_between("threshold", self.threshold, 0.0)


def geometric(inputs: CorrectionInputs, settings: GeometricSettings) -> Tensor:
    """Keep sequences whose exp(mean d) lies in [low, high]. Source: verl's notes on rollout correction (Geo-RS)."""
    rho = geometric_rho(inputs)
    return _rows((rho >= settings.low) & (rho <= settings.high), inputs)


def trust_region(inputs: CorrectionInputs, settings: TRMSettings) -> Tensor:
    """TRM: drop a sequence whose largest k3 exceeds delta. Source: Trust Region Masking, arXiv:2512.23075."""
    return _rows(largest_k3(inputs) <= settings.delta, inputs)


def mean_k3(inputs: CorrectionInputs, settings: MeanK3Settings) -> Tensor:
    """Drop a sequence whose mean k3 exceeds delta. Source: verl's notes on rollout correction (seq_mean_k3)."""
    return _rows(average_k3(inputs) <= settings.delta, inputs)


def off_policy_sequences(inputs: CorrectionInputs, settings: OPSMSettings) -> Tensor:
    """OPSM: drop the tokens with A < 0 of a sequence whose mean log(old / new) exceeds delta.

    Source: DeepSeek-AI 2025 (V3.2), arXiv:2512.02556.
    """
    old = inputs.sampler if settings.old == "sampler" else inputs.trainer
    drift = masked_mean(old - inputs.current, inputs.mask)
    return keeps_sequence(drift, inputs.advantages, settings.delta).to(inputs.trainer.dtype)


def keeps_sequence(drift: Tensor, advantages: Tensor, delta: float) -> Tensor:
    """OPSM's rule, bool: not (A < 0 and mean log(old / new) > delta). Shapes that broadcast; nats and task units."""
    return ~((advantages < 0) & (drift > delta))


def veto(inputs: CorrectionInputs, settings: VetoSettings) -> Tensor:
    """Drop a sequence with a token whose rho lies below the threshold: the trainer thinks it all but impossible."""
    return _rows((token_rho(inputs) >= settings.threshold).all(dim=-1, keepdim=True), inputs)


def _rows(keep: Tensor, inputs: CorrectionInputs) -> Tensor:
    """[N, 1] bool to [N, T] of 0 and 1 in the log-probs' dtype."""
    return keep.to(inputs.trainer.dtype).expand_as(inputs.trainer)
