"""`aspo_tool.json`: nudged advantages of one group."""

from turnwise.algorithms.shaping.aspo_tool import FirstCall, nudged, nudges


def outputs(inputs: dict) -> dict:
    columns = (inputs[name] for name in ("first_code_pos", "lengths", "correct", "has_code"))
    calls = [
        FirstCall(position, length) if correct and has_code else None
        for position, length, correct, has_code in zip(*columns, strict=True)
    ]
    pairs = zip(inputs["advantages"], nudges(calls, inputs["delta"]), strict=True)
    return {"advantages": [nudged(advantage, nudge, inputs["k"]) for advantage, nudge in pairs]}
