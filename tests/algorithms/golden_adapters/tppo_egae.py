"""`tppo_egae.json`: extended GAE of a chunk, against GAE that ends in 0, and the critic's Monte-Carlo targets."""

from turnwise.algorithms.credit.gae import gae
from turnwise.algorithms.credit.returns import rewards_to_go
from turnwise.algorithms.credit.tppo import extended_gae


def outputs(inputs: dict) -> dict:
    rewards, values = inputs["rewards"], inputs["values"]
    discounts = {"gamma": inputs["gamma"], "lam": inputs["lam"]}
    end = inputs.get("bootstrap_value", inputs.get("end_value"))
    return {
        "advantages": extended_gae(rewards, values, finished=inputs["finished"], end_value=end, **discounts),
        "naive_zero_bootstrap_advantages_must_differ": gae(rewards, values, **discounts),
        "value_target_mc_lambda1": rewards_to_go(rewards, inputs["gamma"]),
    }
