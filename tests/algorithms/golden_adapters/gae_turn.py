"""`gae_turn.json`: GAE whose steps are turns, before whitening."""

import numpy as np

from turnwise.algorithms.credit.gae import gae


def outputs(inputs: dict) -> dict:
    advantages = gae(
        inputs["turn_rewards"],
        inputs["turn_values"],
        gamma=inputs["gamma"],
        lam=inputs["lam"],
        bootstrap=inputs.get("bootstrap_value", 0.0),
    )
    return {"turn_advantages": advantages, "turn_returns": advantages + np.array(inputs["turn_values"])}
