"""`par.json`: the bounded reward against references, its rivals, and normalisation by running statistics."""

from turnwise.algorithms.rewards.normalise import MODES, normalise, population_std, running_statistics
from turnwise.algorithms.rewards.par import log_sigmoid, par

NAMES = {"meanstd": "mean_std", "minmax": "min_max", "clipping": "clip", "lsc": "log_sigmoid", "centered": "centred"}


def outputs(inputs: dict) -> dict:
    named = inputs.get("mode", inputs.get("kind", inputs.get("method", "")))
    mode, k = NAMES.get(named, named), inputs.get("k", 1.0)
    if "ref_rewards" in inputs:
        return {"shaped": against_references(inputs["reward"], inputs["ref_rewards"], mode, k, inputs)}
    if "reward" in inputs:
        return {"shaped": normalise([inputs["reward"]], {}, mode or "sigmoid", k)[0]}
    state: dict = {}
    for batch in inputs.get("batches", [inputs.get("batch")]):
        state = running_statistics(batch, state)
        values = normalise(batch, state, mode if mode in MODES else "mean_std", k)
    return {
        "mean": state["mean"],
        "population_std": population_std(state),
        "min": state["low"],
        "max": state["high"],
        "normalised": values,
        "shaped": values,
    }


def against_references(reward: float, references: list, mode: str, k: float, inputs: dict) -> float:
    references = references[: inputs.get("max_refs", 10)]
    if mode == "log_sigmoid":
        return log_sigmoid(reward, references, k=k, fitted=inputs.get("fitted", False))
    return par(reward, references, k=k, mode=mode if mode in ("tanh", "centred") else "sigmoid")
