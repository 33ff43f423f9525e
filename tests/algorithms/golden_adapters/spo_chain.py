"""`spo_chain.json`: cutpoints, values and token advantages of a chain; whitening and the loss mask."""

import numpy as np

from turnwise.algorithms.credit.spo_chain import chain_advantages, cutpoints, monte_carlo_value
from turnwise.algorithms.credit.uncertain import loss_mask, whiten_uncertain, zero_certain


def outputs(inputs: dict) -> dict:
    return {"chain": chain, "whiten": whiten}[inputs["kind"]](inputs)


def chain(inputs: dict) -> dict:
    probs, threshold = np.asarray(inputs["token_probs"], dtype=np.float64), inputs["prob_threshold"]
    cuts = cutpoints(probs.tolist(), threshold, inputs.get("interval", 1))
    values = {cut: monte_carlo_value(inputs["mc_rewards"][str(cut)]) for cut in cuts}
    advantages = np.array(chain_advantages(values, len(probs), inputs["score"]))
    return {
        "cutpoints": cuts,
        "cut_values": list(values.values()),
        "token_advantages": zero_certain(advantages, probs, threshold),
    }


def whiten(inputs: dict) -> dict:
    advantages, probs = (np.asarray(inputs[name], dtype=np.float64) for name in ("advantages", "token_probs"))
    mask = np.asarray(inputs["response_mask"], dtype=bool)
    return {
        "whitened": whiten_uncertain(advantages, probs, mask, inputs["prob_threshold"]),
        "loss_mask": loss_mask(probs, mask, inputs["prob_threshold"]).astype(int),
    }
