"""Masks: whole sequences (or the tokens of a bad one) are dropped where trainer and sampler are too far apart.

All return [N, T] of 0 and 1, without gradient.
"""

from __future__ import annotations

from torch import Tensor

from turnwise.algorithms.corrections.inputs import CorrectionInputs
from turnwise.algorithms.corrections.mismatch import average_k3, geometric_rho, largest_k3, masked_mean, token_rho
from turnwise.algorithms.corrections.settings import (
    GeometricSettings,
    MeanK3Settings,
    OPSMSettings,
    TRMSettings,
    VetoSettings,
)


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
