"""`grpo.json`: group advantages and their variants, DAPO's filter and its overlong penalty."""

import numpy as np

from turnwise.algorithms.credit.broadcast import broadcast
from turnwise.algorithms.credit.groups import keep_mixed_groups
from turnwise.algorithms.credit.grpo import group_advantages
from turnwise.algorithms.credit.overlong import overlong_penalty


def outputs(inputs: dict) -> dict:
    kind = inputs.get("kind", "advantages")
    return {
        "advantages": advantages,
        "dynamic_sampling": lambda case: {"keep": keep_mixed_groups(case["groups"])},
        "overlong_penalty": lambda case: {
            "penalty": overlong_penalty(case["lengths"], case["max_length"], case["cache"])
        },
    }[kind](inputs)


def advantages(inputs: dict) -> dict:
    settings = {name: inputs[name] for name in ("centre", "scale", "ddof", "eps") if name in inputs}
    if inputs.get("variant") == "dr_grpo":
        settings = {"centre": inputs.get("centre", "group"), "scale": "none"}
    values = group_advantages(inputs["rewards"], inputs["group"], singleton=singleton(inputs), **settings)
    if "mask" not in inputs:
        return {"sequence_advantages": values}
    inside = np.asarray(inputs["mask"], dtype=bool)
    turn_of = np.where(inside, np.arange(len(inside))[:, None], -1)
    return {"sequence_advantages": values, "token_advantages": broadcast(list(values), turn_of)[0]}


def singleton(inputs: dict) -> str:
    """A group of one where the case does not say: verl (sample std, eps 1e-6, no `scale`) keeps its raw reward,
    TRL and SPO (which name their `scale`) give 0."""
    verl = inputs.get("ddof", 1) == 1 and (inputs.get("eps", 1e-6) == 1e-6 or "scale" not in inputs)
    return str(inputs.get("singleton", "raw" if verl else "zero"))
