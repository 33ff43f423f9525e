"""Importance weights trainer / sampler, cut or dropped where they are large: per token or per sequence.

All return [N, T] > 0 or 0, without gradient. They belong to a ratio whose denominator is the *trainer* before the
update: new / sampler = (new / trainer) (trainer / sampler).
"""

from __future__ import annotations

import torch
from torch import Tensor

from turnwise.algorithms.corrections.inputs import CorrectionInputs
from turnwise.algorithms.corrections.mismatch import sequence_rho, token_rho
from turnwise.algorithms.corrections.settings import BandSettings, CapSettings


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
