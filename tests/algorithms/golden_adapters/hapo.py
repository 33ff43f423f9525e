"""`hapo.json`: the group average, or what the entropy of each token does to clip, advantage and temperature."""

import torch

from turnwise.algorithms.credit.hapo import group_average
from turnwise.algorithms.guards.hapo import (
    clip_ranges,
    entropy_scale,
    redistribute,
    sampling_temperature,
    token_entropy_scale,
)


def outputs(inputs: dict) -> dict:
    if "rewards" not in inputs:
        return of_tokens(inputs)
    named = {name: inputs[name] for name in ("eps", "limit") if name in inputs}
    result = group_average(inputs["rewards"], inputs["lengths"], **named)
    return result._asdict() | {"token_std_population": result.token_std}


def of_tokens(inputs: dict) -> dict:
    entropy = floats(inputs["entropy"])
    mask = floats(inputs.get("mask", [1.0] * len(entropy))).bool()
    h = token_entropy_scale(entropy, mask, inputs["pivot"])
    scale = entropy_scale(entropy[mask], inputs["pivot"])
    low, high = clip_ranges(h, inputs.get("eps_low", 0.2), inputs.get("eps_high", 0.2), inputs.get("clip_alpha", 1.0))
    made = {
        "h_hat": h,
        "h_hat_valid": h[mask],
        "released_code_h_hat_sign_quirk": token_entropy_scale(entropy, mask, inputs["pivot"], released=True),
        "pivot": scale.pivot,
        "std_about_pivot": scale.spread,
        "eps_low_eff": low,
        "eps_high_eff": high,
        "sampling_temperature": sampling_temperature(h, inputs.get("temperature", 1.0), inputs.get("tau", 0.05)),
    }
    if "ratio" not in inputs:
        return made
    ratio, advantages = floats(inputs["ratio"]), floats(inputs["advantages"])
    moved = redistribute(advantages, h, ratio, low, high, inputs.get("adv_beta", 1.0))
    return made | {"advantages_redistributed": moved}


def floats(values: list) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)
