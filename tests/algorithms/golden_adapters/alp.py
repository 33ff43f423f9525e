"""`alp.json`: a two-layer net with given noise, and the ratio of the perturbed policy to the sampler."""

import torch

from turnwise.algorithms.noise import perturbed
from turnwise.algorithms.ratios import RATIOS


def outputs(inputs: dict) -> dict:
    return toy_net(inputs) if "h0" in inputs else ratios(inputs)


def toy_net(inputs: dict) -> dict:
    """tanh after M, then W: two layers, each with noise on what enters it."""
    start, matrix, head, noise, sigma = (floats(inputs[name]) for name in ("h0", "M", "W", "noise", "sigma"))

    def log_probs(noise: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(matrix @ perturbed(start, sigma[0].log(), noise[0]))
        return torch.log_softmax(perturbed(hidden, sigma[1].log(), noise[1]) @ head, dim=-1)

    return {"logp_unperturbed": log_probs(torch.zeros_like(noise)), "logp_perturbed": log_probs(noise)}


def ratios(inputs: dict) -> dict:
    new, old = floats(inputs["logp_perturbed"])[None], floats(inputs["logp_inference"])[None]
    product = RATIOS["sequence_product"](new, old, None)[0, 0]
    return {
        "token_ratio": RATIOS["token"](new, old, None)[0],
        "sequence_ratio": product,
        "geometric_mean_ratio": RATIOS["sequence"](new, old, None)[0, 0],
        # As in the released program the two are distances from 1.
        "clipped": product.clamp(1.0 - inputs["clip_low"], 1.0 + inputs["clip_high"]),
    }


def floats(values: list) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)
