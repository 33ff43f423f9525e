"""`aepo.json`: penalised forks (as in arpo.json), the roots' budget, the loss with gradients above the clip."""

import importlib.util
from pathlib import Path

import numpy as np
import torch

from turnwise.algorithms.aggregate import token_weights, weighted_sum
from turnwise.algorithms.explore.branching import root_budget
from turnwise.algorithms.guards import GUARDS, LossInputs
from turnwise.algorithms.ratios import token_ratio
from turnwise.algorithms.shaping.entropy_aware import entropy_weights


def outputs(inputs: dict) -> dict:
    kinds = {"branching": branching, "root_budget": roots, "policy_loss": policy_loss}
    return kinds.get(inputs["kind"], same_as_arpo)(inputs)


def roots(inputs: dict) -> dict:
    found = [
        root_budget(item["budget"], item["root_entropy"], item["tool_step_entropies"], beta=inputs.get("beta", 0.5))
        for item in inputs["items"]
    ]
    return {"roots": found}


def branching(inputs: dict) -> dict:
    return same_as_arpo({"consecutive_penalty": 0.05} | inputs)


def same_as_arpo(inputs: dict) -> dict:
    spec = importlib.util.spec_from_file_location("arpo_for_aepo", Path(__file__).parent / "arpo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.outputs(inputs)


def policy_loss(inputs: dict) -> dict:
    log_prob = floats(inputs["log_prob"]).requires_grad_()
    old, mask, advantage = (floats(inputs[name]) for name in ("old_log_prob", "mask", "advantage"))
    if inputs.get("entropy_aware_advantage"):
        entropy, inside = np.array(inputs["entropy"], dtype=np.float64), np.array(inputs["mask"], dtype=bool)
        advantage = advantage * torch.from_numpy(entropy_weights(entropy, inside, inputs.get("entropy_alpha", 0.2)))
    guard = GUARDS["aepo" if inputs.get("keep_gradient_above_clip") else "clip"]
    settings = guard.settings(low=inputs["clip_low"], high=inputs["clip_high"], dual=inputs.get("dual_clip"))
    ratio = token_ratio(log_prob, old, mask)
    batch = LossInputs(
        logprobs=log_prob,
        old_logprobs=old,
        ratio=ratio,
        advantages=advantage,
        mask=mask,
        returns=torch.zeros(len(mask), dtype=torch.float64),
    )
    per_token = guard.function(batch, settings).per_token
    loss = weighted_sum(per_token, token_weights(mask, inputs.get("aggregation", "token-mean")))
    loss.backward()
    return {"loss": loss.detach(), "grad_log_prob": log_prob.grad}


def floats(values: list) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)
