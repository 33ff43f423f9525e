"""`cispo.json`: the clipped weight of every token, the loss, and what multiplies each grad log pi."""

import torch

from turnwise.algorithms.aggregate import token_weights, weighted_sum
from turnwise.algorithms.guards import LossInputs
from turnwise.algorithms.guards.cispo import CISPOSettings, clipped_weight, guard
from turnwise.algorithms.ratios import token_ratio


def outputs(inputs: dict) -> dict:
    logprobs, old, advantages, mask = (floats(inputs[name]) for name in ("logp", "old", "adv", "mask"))
    logprobs.requires_grad_()
    settings = CISPOSettings(low=inputs.get("eps_low", 1.0), high=inputs["eps_high"])
    batch = LossInputs(
        logprobs=logprobs,
        old_logprobs=old,
        ratio=token_ratio(logprobs, old, mask),
        advantages=advantages,
        mask=mask,
        returns=advantages[:, 0],
    )
    loss = weighted_sum(guard(batch, settings).per_token, token_weights(mask, "token-mean"))
    loss.backward()
    return {
        "weight": clipped_weight(token_ratio(logprobs.detach(), old), settings),
        "loss_token_mean": loss.detach(),
        "ascent_coef": -logprobs.grad,
    }


def floats(values: list) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)
