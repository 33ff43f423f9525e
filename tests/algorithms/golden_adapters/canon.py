"""`canon.json`: the conditional advantage of one group, divided by `max_length` as a released program does."""

import numpy as np

from turnwise.algorithms.credit.canon import conditional_advantages
from turnwise.algorithms.credit.grpo import group_advantages


def outputs(inputs: dict) -> dict:
    group = inputs.get("group", [0] * len(inputs["rewards"]))
    named = {name: inputs[name] for name in ("alpha", "b", "mu") if name in inputs}
    if "beta" in inputs:  # the released program's name of b
        named["b"] = inputs["beta"]
    form = "entropy" if inputs.get("kind", "entropy") == "entropy" else "length"
    settings = {"mu": 1.0, "form": form, "singleton": inputs.get("singleton", "raw")} | named
    values = conditional_advantages(inputs["rewards"], inputs["metric"], group, **settings)
    centred = group_advantages(inputs["rewards"], group, scale="none", singleton=settings["singleton"])
    longest = np.float64(inputs.get("max_length", 1.0))
    return {"advantages": values / longest, "dr_grpo": centred / longest}
