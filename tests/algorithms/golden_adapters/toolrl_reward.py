"""`toolrl_reward.json`: correctness of tool calls, the bounds of each scale, and the sum with the format."""

from turnwise.algorithms.rewards.call_matching import MATCHINGS, SCALES, bounds, correctness, length_bonus
from turnwise.algorithms.rewards.calls import read_calls


def outputs(inputs: dict) -> dict:
    named = {inputs.get(key) for key in ("variant", "matching", "scale", "kind")}
    named |= {name for name in (*MATCHINGS, *SCALES) if inputs.get(name) is True}
    matching = next((name for name in MATCHINGS if name in named), "partial")
    limits = bounds(next((name for name in SCALES if name in named), "standard"), inputs.get("step", 0))
    low, high = inputs.get("min", limits.correctness[0]), inputs.get("max", limits.correctness[1])
    right = correctness(
        calls(inputs.get("gt")) or [], calls(inputs.get("pred")), maximum=high, minimum=low, matching=matching
    )
    style = limits.format[bool(inputs.get("format", inputs.get("format_ok", True)))]
    bonus = length_bonus(inputs.get("words", 0), inputs.get("step", 0), inputs.get("length_bonus", "none"))
    return {"correctness": right, "format": style, "length": bonus, "total": style + right + bonus}


def calls(found: list | str | None) -> list | None:
    """Calls as a list, or as text with one JSON object a line."""
    return None if found is None else read_calls(found.strip().split("\n") if isinstance(found, str) else found)
