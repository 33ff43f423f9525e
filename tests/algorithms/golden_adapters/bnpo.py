"""`bnpo.json`: Beta-normalised advantages of groups of rewards in [0, 1], or the weight of one success rate."""

import math

import numpy as np

from turnwise.algorithms.credit.bnpo import beta_advantages, beta_weight


def outputs(inputs: dict) -> dict:
    if "p" in inputs:
        return weight(inputs)
    if "components" in inputs:
        results = [normalised(groups, inputs) for groups in inputs["components"]]
        means = zip(*(result["advantages"] for result in results), strict=True)
        return {"advantages": [np.mean(group, axis=0) for group in means]}
    return normalised(inputs["groups"], inputs)


def normalised(groups: list, inputs: dict) -> dict:
    rewards = [reward for group in groups for reward in group]
    names = [name for name, group in enumerate(groups) for _ in group]
    cap, clamp = inputs.get("weight_cap", 1e6), bool(inputs.get("clamp", False))
    low, high = inputs.get("low", 0.0), inputs.get("high", 1.0)
    result = beta_advantages(rewards, names, lowest=low, highest=high, clamp=clamp, cap=cap)
    values = np.split(result.advantages, np.cumsum([len(group) for group in groups])[:-1])
    return {"alpha": result.alpha, "beta": result.beta, "weights": result.weights, "advantages": values}


def weight(inputs: dict) -> dict:
    """With alpha = beta = 3/2 it equals pi / 8 over the standard deviation of a reward of 0 or 1."""
    rate = inputs["p"]
    deviation = math.sqrt(rate * (1.0 - rate))
    return {
        "weight": beta_weight(rate, inputs["alpha"], inputs["beta"], inputs.get("weight_cap", 1e6)),
        "equals": math.pi / 8.0 / deviation if deviation else math.inf,
    }
