"""`sec.json`: one update of the curriculum's values, and the chances that follow. Arms are numbered."""

from turnwise.algorithms.curriculum import CurriculumSettings, mean_sizes, probabilities, update

NAMES = {
    "lr": "learning_rate",
    "temperature": "temperature",
    "epsilon": "epsilon",
    "eps": "epsilon",
    "rule": "rule",
    "decay_unsampled": "decay_unsampled",
}


def outputs(inputs: dict) -> dict:
    settings = CurriculumSettings(**{own: inputs[name] for name, own in NAMES.items() if name in inputs})
    q = {str(arm): value for arm, value in enumerate(inputs["q"])}
    q = update(q, mean_sizes(inputs.get("abs_advantages_by_arm", {})), settings)
    return {"q": list(q.values()), "probs": list(probabilities(q, settings).values())}
