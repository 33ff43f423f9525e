"""`rec_opmd.json`: one row of tokens under the switches of the family, and the baselines of a group of rewards."""

import torch

from turnwise.algorithms.aggregate import token_weights, weighted_sum
from turnwise.algorithms.credit.rec import OPMDSettings, less_baseline
from turnwise.algorithms.guards import LossInputs
from turnwise.algorithms.guards.rec import RECSettings, guard, kept
from turnwise.algorithms.ratios import RATIOS

NAMES = {
    "weight": "weight",
    "regularizer": "regularizer",
    "regularizer_coef": "tau",
    "eps_low": "low",
    "eps_high": "high",
    "eps_low_prime": "ring_low",
    "eps_high_prime": "ring_high",
    "temp": "temp",
}


def outputs(inputs: dict) -> dict:
    return advantages(inputs) if "rewards" in inputs else policy_loss(inputs)


def advantages(inputs: dict) -> dict:
    rewards = inputs["rewards"]
    chosen = {"baseline": "logavgexp", "tau": inputs["tau"]} if "tau" in inputs else {"baseline": "mean"}
    settings = OPMDSettings(shift=inputs.get("shift", 0.0), **(chosen | baseline(inputs)))
    values = less_baseline(rewards, inputs.get("group", [0] * len(rewards)), settings)
    return {"advantages": values, "baseline": rewards[0] - values[0]}


def baseline(inputs: dict) -> dict:
    return {"baseline": inputs["baseline"]} if "baseline" in inputs else {}


def policy_loss(inputs: dict) -> dict:
    logprobs, old, values, mask = (rows(inputs[name]) for name in ("logp", "old_logp", "advantages", "mask"))
    logprobs.requires_grad_()
    clip = inputs["clip"]
    by_sequence = clip.startswith("gspo-")
    settings = RECSettings(
        clip=clip.removeprefix("gspo-"), **{ours: inputs[theirs] for theirs, ours in NAMES.items() if theirs in inputs}
    )
    ratio = RATIOS["sequence" if by_sequence else "token"](logprobs, old, mask)
    batch = LossInputs(
        logprobs=logprobs, old_logprobs=old, ratio=ratio, advantages=values, mask=mask, returns=values[:, 0]
    )
    loss = weighted_sum(guard(batch, settings).per_token, token_weights(mask, "token-mean"))
    loss.backward()
    like_given = (lambda grid: grid) if isinstance(inputs["logp"][0], list) else (lambda grid: grid[0])
    return {
        "keep": like_given(kept(ratio.detach(), values, settings).int()),
        "loss_token_mean": loss.detach(),
        "ascent_coef_on_grad_logp": like_given(-logprobs.grad),
    }


def rows(values: list) -> torch.Tensor:
    """[N, T]; a flat list is one row."""
    return torch.atleast_2d(torch.tensor(values, dtype=torch.float64))
