"""`rloo.json`: leave-one-out advantages per sequence and on the masked tokens."""

import numpy as np

from turnwise.algorithms.credit.broadcast import broadcast
from turnwise.algorithms.credit.rloo import leave_one_out


def outputs(inputs: dict) -> dict:
    values = leave_one_out(inputs["rewards"], inputs["group"], singleton=inputs.get("singleton", "zero"))
    if "mask" not in inputs:
        return {"sequence_advantages": values}
    inside = np.asarray(inputs["mask"], dtype=bool)
    turn_of = np.where(inside, np.arange(len(inside))[:, None], -1)
    return {"sequence_advantages": values, "token_advantages": broadcast(list(values), turn_of)[0]}
