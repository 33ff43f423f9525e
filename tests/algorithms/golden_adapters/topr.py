"""`topr.json`: whole responses, as samples of one token each, or tokens; the share of positives after a shift."""

import torch

from turnwise.algorithms.credit.topr import expected_positive_share, shifted
from turnwise.algorithms.guards import LossInputs
from turnwise.algorithms.guards.topr import TOPRSettings, guard, taper
from turnwise.algorithms.ratios import RATIOS

NAMES = {"a_pos": "low_pos", "b_pos": "high_pos", "a_neg": "low_neg", "b_neg": "high_neg"}


def outputs(inputs: dict) -> dict:
    if "p" in inputs:
        return {"p_eff": expected_positive_share(inputs["p"], inputs["baseline"])}
    logprobs, old = table(inputs["logp"]).requires_grad_(), table(inputs["logmu"])
    by_token = isinstance(inputs["logp"][0], list) and inputs.get("level") != "sequence"
    mask = table(inputs["mask"]) if "mask" in inputs else torch.ones_like(old)
    ratio = RATIOS["token" if by_token else "sequence_product"](logprobs, old, mask)
    returns, advantages = table(inputs["reward"])[:, 0], shifted(inputs["reward"], inputs.get("baseline", 0.0))
    settings = TOPRSettings(**{ours: inputs[theirs] for theirs, ours in NAMES.items() if theirs in inputs})
    batch = LossInputs(
        logprobs=logprobs,
        old_logprobs=old,
        ratio=ratio,
        advantages=table(advantages).expand_as(old),
        mask=mask,
        returns=returns,
    )
    loss = (guard(batch, settings).per_token * mask).sum() / len(returns)
    loss.backward()
    weights, slopes = taper(ratio, returns, settings), -logprobs.grad * len(returns)
    return {
        "alpha": weights if by_token else weights[:, 0],
        "shifted": advantages,
        "loss_mean": loss.detach(),
        "coef_on_grad_logp": slopes if isinstance(inputs["logp"][0], list) else slopes[:, 0],
    }


def table(values: list) -> torch.Tensor:
    """[N, T]; one number per sample is [N, 1]."""
    tensor = torch.tensor(values, dtype=torch.float64)
    return tensor if tensor.ndim == 2 else tensor[:, None]
