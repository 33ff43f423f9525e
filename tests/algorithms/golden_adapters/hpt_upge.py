"""`hpt_upge.json`: the choices of each method at one token, and the gate."""

from turnwise.algorithms.hpt import Token, UnifiedSettings, estimate, gate


def outputs(inputs: dict) -> dict:
    if "solved" in inputs:
        chosen = gate(inputs["solved"], inputs["n"], inputs["gate_count"])
        return {"P": chosen.solved_share, "alpha_rl": chosen.rollouts, "beta_sft": chosen.demonstration}
    names = {"eps": "clip", "cispo_eps_high": "cispo_high", "luffy_gamma": "luffy_gamma"}
    settings = UnifiedSettings(**{ours: inputs[theirs] for theirs, ours in names.items() if theirs in inputs})
    token = Token(
        inputs["pi"],
        inputs["pi_old"],
        inputs["advantage"],
        sequence_log_ratio=inputs.get("logr_seq", 0.0),
        sequence_length=inputs.get("seq_len", 1),
    )
    found = estimate(inputs["algorithm"], token, settings)
    return {
        "mask": found.mask,
        "pi_ref": found.reference,
        "advantage_used": found.advantage,
        "coef_on_grad_pi": found.on_probability,
        "coef_on_grad_logpi": found.on_log_probability(token.pi),
    }
