"""`zero_context_diff`: what changed between two observations, and nothing else."""

from __future__ import annotations

import difflib


def zero_context_diff(previous: str, current: str, context: int = 0) -> str:
    """The unified diff of two texts without its two header lines; "" where they are equal.

    Both are stripped at their ends and then split into lines. context: unchanged lines shown around a change.
    Source: Piterbarg et al. 2024, "diff History for Neural Language Agents" (arXiv:2312.07540).
    """
    before, after = previous.strip().splitlines(), current.strip().splitlines()
    lines = difflib.unified_diff(before, after, n=context, lineterm="")
    return "\n".join(list(lines)[2:])
