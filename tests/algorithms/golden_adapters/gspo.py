"""`gspo.json`: PPO's clip on the sequence ratio, averaged over tokens, then over sequences."""

import torch

from turnwise.algorithms.guards import GUARDS, LossInputs
from turnwise.algorithms.ratios import RATIOS


def outputs(inputs: dict) -> dict:
    logprobs, old, advantages, mask = (floats(inputs[name]) for name in ("logp", "old", "adv", "mask"))
    ratio = RATIOS["sequence"](logprobs, old, mask)
    guard = GUARDS["clip"]
    settings = guard.settings(low=inputs["eps_low"], high=inputs["eps_high"], dual=None)
    batch = LossInputs(
        logprobs=logprobs, old_logprobs=old, ratio=ratio, advantages=advantages, mask=mask, returns=advantages[:, 0]
    )
    per_token = guard.function(batch, settings).per_token
    # The file's mean over tokens has no 1e-8 in its divisor.
    loss = ((per_token * mask).sum(dim=-1) / mask.sum(dim=-1)).mean()
    return {"seq_ratio": ratio[:, 0], "loss": loss}


def floats(values: list) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)
