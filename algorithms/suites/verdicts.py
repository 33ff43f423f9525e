"""Which tasks say nothing: those where an agent without skill is as good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnwise.algorithms.suites.figures import difference


def null_verdict(
    task: str, who: str, mine: Mapping[str, float], nulls: Mapping[str, Mapping[str, float]], seed: int
) -> dict[str, Any] | None:
    """The flag of a task for one agent, or None where it is ahead of every null agent by more than chance.

    mine, nulls: problem -> mean value. The null agent that comes nearest, or is furthest ahead, is named.
    """
    compared = {name: difference(mine, theirs, seed) for name, theirs in nulls.items() if name != who}
    if not compared:
        return None
    name = min(compared, key=lambda null: compared[null]["mean"])
    found = compared[name]
    low, high = found["interval"] or (-float("inf"), float("inf"))
    if low > 0:
        return None
    kind = "beaten" if high < 0 else "not_separated"
    what = f"is beaten by the null agent `{name}`" if high < 0 else f"cannot be told from the null agent `{name}`"
    spread = "of one problem" if found["interval"] is None else f"95% interval {low:+.3f} to {high:+.3f}"
    text = f"{task}: {who} {what} ({found['mean']:+.3f}, {spread}): its figure there shows no skill"
    return {"task": task, "player": who, "null": name, "kind": kind, **found, "text": text}
