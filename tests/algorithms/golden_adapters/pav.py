"""`pav.json`: a prover's values along a trajectory and what they add to the reward, and the reward that search uses."""

from turnwise.algorithms.rewards.pav import best_of_k, effective_reward, step_advantages, step_rewards


def outputs(inputs: dict) -> dict:
    if "Q_base" in inputs:
        return {"effective": effective_reward(inputs["Q_base"], inputs["A_prover"], inputs["alpha"])}
    tries = inputs.get("K")
    values = inputs["prefix_success"] if tries is None else best_of_k(inputs["prefix_success"], tries)
    advantages = step_advantages(values)
    return {
        "prover_values": values,
        "step_advantage": advantages,
        "step_rewards": step_rewards(advantages, inputs.get("outcome", 0.0), inputs.get("alpha", 1.0)),
        "sum_advantage": advantages.sum(),
    }
