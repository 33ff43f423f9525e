"""PPO's clip, with a higher upper bound (clip-higher) and the dual clip as options; GSPO with the sequence ratio."""

from __future__ import annotations

from turnwise.algorithms.guards.inputs import LossInputs
from turnwise.algorithms.guards.settings import ClipSettings
from turnwise.algorithms.losses import PolicyLoss, clipped_policy_loss


def guard(inputs: LossInputs, settings: ClipSettings) -> PolicyLoss:
    """max(-A r, -A clip(r, 1 - low, 1 + high)), see `losses.clipped_policy_loss`."""
    return clipped_policy_loss(
        inputs.ratio, inputs.advantages, clip_low=settings.low, clip_high=settings.high, dual_clip=settings.dual
    )
