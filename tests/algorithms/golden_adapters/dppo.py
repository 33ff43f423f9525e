"""`dppo.json`: which tokens each divergence keeps, and the truncated ratio."""

import torch

from turnwise.algorithms.guards.dppo import DPPOSettings, binary_kl, kept
from turnwise.algorithms.ratios import token_ratio


def outputs(inputs: dict) -> dict:
    new, old, advantages = (torch.tensor(inputs[name], dtype=torch.float64) for name in ("prob", "old_prob", "adv"))
    tv, kl = (
        DPPOSettings(divergence=name, low=inputs["delta_low"], high=inputs["delta_high"]) for name in ("tv", "kl")
    )
    return {
        "tv_keep": kept(old, new, advantages, tv).int(),
        "kl_keep": kept(old, new, advantages, kl).int(),
        "binary_kl": binary_kl(old, new),
        "truncated_ratio": token_ratio(new.log(), old.log()).clamp(max=inputs.get("cap", tv.cap)),
    }
