"""`topr.json`: whole responses as samples of one token each; the share of positives after a shift."""

import torch

from turnwise.algorithms.credit.topr import expected_positive_share, shifted
from turnwise.algorithms.guards import LossInputs
from turnwise.algorithms.guards.topr import TOPRSettings, guard, taper
from turnwise.algorithms.ratios import sequence_product

NAMES = {"a_pos": "low_pos", "b_pos": "high_pos", "a_neg": "low_neg", "b_neg": "high_neg"}


def outputs(inputs: dict) -> dict:
    if "p" in inputs:
        return {"p_eff": expected_positive_share(inputs["p"], inputs["baseline"])}
    logprobs, old = column(inputs["logp"]).requires_grad_(), column(inputs["logmu"])
    returns = column(inputs["reward"])[:, 0]
    advantages = shifted(inputs["reward"], inputs.get("baseline", 0.0))
    settings = TOPRSettings(**{ours: inputs[theirs] for theirs, ours in NAMES.items() if theirs in inputs})
    mask = torch.ones_like(old)
    ratio = sequence_product(logprobs, old, mask)
    batch = LossInputs(
        logprobs=logprobs, old_logprobs=old, ratio=ratio, advantages=column(advantages), mask=mask, returns=returns
    )
    loss = guard(batch, settings).per_token.mean()
    loss.backward()
    return {
        "alpha": taper(ratio, returns, settings)[:, 0],
        "shifted": advantages,
        "loss_mean": loss.detach(),
        "coef_on_grad_logp": -logprobs.grad[:, 0] * len(returns),
    }


def column(values: list) -> torch.Tensor:
    """[N, 1]"""
    return torch.tensor(values, dtype=torch.float64)[:, None]
