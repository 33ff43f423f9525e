"""`losses.json`: clipped policy loss with its gradient, every aggregation, sampled KL, clipped value loss."""

import torch

from turnwise.algorithms.aggregate import masked_fraction, token_weights, weighted_sum
from turnwise.algorithms.losses import clipped_policy_loss, clipped_value_loss
from turnwise.algorithms.ratios import token_ratio
from turnwise.algorithms.regularize import sampled_kl


def outputs(inputs: dict) -> dict:
    kind = inputs["kind"]
    if kind.startswith("kl_"):
        return {"kl": sampled_kl(floats(inputs["log_prob"]), floats(inputs["ref_log_prob"]), kind[len("kl_") :])}
    return {"policy_loss": policy_loss, "value_loss": value_loss}[kind](inputs)


def policy_loss(inputs: dict) -> dict:
    log_prob = floats(inputs["log_prob"]).requires_grad_()
    mask = floats(inputs["mask"])
    ratio = token_ratio(log_prob, floats(inputs["old_log_prob"]), mask)
    clips = {name: inputs[name] for name in ("clip_low", "clip_high", "dual_clip") if name in inputs}
    result = clipped_policy_loss(ratio, floats(inputs["advantage"]), **clips)
    mode = inputs.get("aggregation", "token-mean")
    constant = inputs.get("constant") if mode == "seq-mean-token-sum-norm" else None
    per_sequence = bool(inputs.get("divide_by_sequences", False))
    weights = token_weights(mask, mode, constant=constant, divide_by_sequences=per_sequence)
    loss = weighted_sum(result.per_token, weights)
    loss.backward()
    return {
        "loss": loss.detach(),
        "grad_log_prob": log_prob.grad,
        "clip_fraction": masked_fraction(result.clipped, mask),
        "lower_clip_fraction": masked_fraction(result.lower_clipped, mask),
    }


def value_loss(inputs: dict) -> dict:
    predictions, old_values, returns = (floats(inputs[name]) for name in ("predictions", "old_values", "returns"))
    mask = floats(inputs["mask"])
    result = clipped_value_loss(predictions, old_values, returns, clip=inputs["clip"])
    weights = token_weights(mask, inputs.get("aggregation", "token-mean"))
    return {
        "loss": weighted_sum(result.per_token, weights),
        "clip_fraction": masked_fraction(result.clipped, mask),
    }


def floats(values: list) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)
