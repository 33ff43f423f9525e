"""`gdpo.json`: parts of the reward normalised one by one, against GRPO on their weighted sum; before whitening."""

import numpy as np

from turnwise.algorithms.credit.gdpo import decoupled_advantages
from turnwise.algorithms.credit.grpo import group_advantages
from turnwise.algorithms.credit.whiten import whiten


def outputs(inputs: dict) -> dict:
    parts = np.array(inputs["parts"], dtype=float)
    weights = np.array(inputs.get("weights") or np.ones(len(parts)), dtype=float)
    group = inputs.get("group", [0] * parts.shape[1])
    named = {name: inputs[name] for name in ("eps", "ddof") if name in inputs}
    settings = {"singleton": inputs.get("singleton", "raw")} | named
    total = decoupled_advantages(parts, weights, group, **settings)
    counts = np.array(inputs["mask"], dtype=float).sum(axis=1) if "mask" in inputs else None
    return {
        "sum_of_normalised": total,
        "grpo_on_sum": group_advantages(weights @ parts, group, **settings),
        "whitened": whiten(total, counts),
    }
