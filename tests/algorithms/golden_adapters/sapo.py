"""`sapo.json`: the gate and what multiplies grad log pi (times A), for both signs of the advantage."""

import torch

from turnwise.algorithms.guards import LossInputs
from turnwise.algorithms.guards.sapo import SAPOSettings, gate, guard
from turnwise.algorithms.ratios import token_ratio


def outputs(inputs: dict) -> dict:
    ratio = torch.tensor(inputs["ratio"], dtype=torch.float64)
    settings = SAPOSettings(tau_pos=inputs["tau_pos"], tau_neg=inputs["tau_neg"])
    return {
        "gate_pos": gate(ratio, settings.tau_pos),
        "gate_neg": gate(ratio, settings.tau_neg),
        "coef_on_grad_logp_pos": coefficient(ratio, 1.0, settings),
        "coef_on_grad_logp_neg_times_A": coefficient(ratio, -1.0, settings),
    }


def coefficient(ratio: torch.Tensor, advantage: float, settings: SAPOSettings) -> torch.Tensor:
    """-d loss / d log pi, over A."""
    logprobs = ratio.log()[None].requires_grad_()
    ones = torch.ones_like(logprobs).detach()
    batch = LossInputs(
        logprobs=logprobs,
        old_logprobs=torch.zeros_like(ones),
        ratio=token_ratio(logprobs, torch.zeros_like(ones)),
        advantages=advantage * ones,
        mask=ones,
        returns=advantage * ones[:, 0],
    )
    guard(batch, settings).per_token.sum().backward()
    return -logprobs.grad[0] / advantage
