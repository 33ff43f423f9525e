"""`rloo.json`: leave-one-out advantages per sequence and on the masked tokens."""

import numpy as np

from turnwise.algorithms.credit.broadcast import broadcast
from turnwise.algorithms.credit.rloo import leave_one_out


def outputs(inputs: dict) -> dict:
    advantages = leave_one_out(inputs["rewards"], inputs["group"], singleton=inputs.get("singleton", "zero"))
    return {"sequence_advantages": advantages} | on_tokens(advantages, inputs.get("mask"))


def on_tokens(advantages: np.ndarray, mask: list | None) -> dict:
    """Row i is turn i: its advantage lands where its mask is 1."""
    if mask is None:
        return {}
    inside = np.asarray(mask, dtype=bool)
    turn_of = np.where(inside, np.arange(len(inside))[:, None], -1)
    return {"token_advantages": broadcast(list(advantages), turn_of)[0]}
