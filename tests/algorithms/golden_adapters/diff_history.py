"""`diff_history.json`: the zero-context diff of two observations."""

from turnwise.envs.history import zero_context_diff


def outputs(inputs: dict) -> dict:
    return {"diff": zero_context_diff(inputs["prev"], inputs["cur"], inputs["context"])}
