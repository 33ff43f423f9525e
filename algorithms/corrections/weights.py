"""Importance weights trainer / sampler, cut or dropped where they are large: per token or per sequence.

All return [N, T] > 0 or 0, without gradient. They belong to a ratio whose denominator is the *trainer* before the
update: new / sampler = (new / trainer) (trainer / sampler).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.corrections.inputs import CorrectionInputs
from turnwise.algorithms.corrections.mismatch import sequence_rho, token_rho


@dataclass(frozen=True, slots=True, kw_only=True)
class CapSettings:
    """Largest weight."""

    cap: float = 2.0
    """C: weights above are cut to it (TIS) or set to 0 (MIS); > 0."""

    def __post_init__(self) -> None:
        require_between("cap", self.cap, 0.0, open_low=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BandSettings:
    """Interval of weights that are trusted, both ends included."""

    low: float = 0.5
    """alpha: tokens whose weight lies below get 0; at least 0."""
    high: float = 2.0
    """beta: tokens whose weight lies above get 0; at least alpha."""

    def __post_init__(self) -> None:
        require_between("low", self.low, 0.0)
        require_between("high", self.high, self.low)


def truncated(inputs: CorrectionInputs, settings: CapSettings) -> Tensor:
    """TIS: min(rho, C) of each token. Source: Yao et al. 2025, "Your efficient RL framework secretly brings you
    off-policy RL training", fengyao.notion.site/off-policy-rl."""
    return token_rho(inputs).clamp(max=settings.cap)


def masked(inputs: CorrectionInputs, settings: CapSettings) -> Tensor:
    """MIS: rho of each token, 0 where it exceeds C. Source: Liu et al. 2025, "When speed kills stability"."""
    return _up_to(token_rho(inputs), settings.cap)


def icepop(inputs: CorrectionInputs, settings: BandSettings) -> Tensor:
    """IcePop: rho of each token where alpha <= rho <= beta, else 0. Source: Ling team 2025, arXiv:2510.18855."""
    rho = token_rho(inputs)
    return rho * ((rho >= settings.low) & (rho <= settings.high))


def sequence_truncated(inputs: CorrectionInputs, settings: CapSettings) -> Tensor:
    """Sequence TIS: min(product of the sequence's rho, C) on each of its tokens."""
    return sequence_rho(inputs).clamp(max=settings.cap).expand_as(inputs.trainer)


def sequence_masked(inputs: CorrectionInputs, settings: CapSettings) -> Tensor:
    """Sequence MIS: product of the sequence's rho on each of its tokens, 0 where it exceeds C."""
    return _up_to(sequence_rho(inputs), settings.cap).expand_as(inputs.trainer)


def _up_to(rho: Tensor, cap: float) -> Tensor:
    return torch.where(rho <= cap, rho, torch.zeros_like(rho))
