"""Information gain: by how much a turn made the right answer likelier."""

from __future__ import annotations

import math
from collections.abc import Sequence

from turnwise.algorithms.checks import require_choice

SCORES = ("logprob", "prob")


def answer_score(mean_logprob: float, score: str) -> float:
    """What the answer is worth in a context: its mean log p per token in nats, or exp of it, a geometric mean.

    Raises: ValueError on a score other than `logprob` and `prob`.
    """
    require_choice("score", score, SCORES)
    return math.exp(mean_logprob) if score == "prob" else mean_logprob


def information_gains(scores: Sequence[float | None]) -> list[float | None]:
    """The score after each turn less the score before it.

    Args:
        scores: One per turn, in the context that the turn was sampled in; None where the answer was not scored.
    Returns: One per turn; None where one of the two scores is missing, and for the last turn: nothing comes after it.
    Source: Wang et al. 2025 (IGPO), arXiv:2510.14967, section 3; differences of log p: its second version.
    """
    after = [*scores[1:], None]
    return [
        None if then is None or now is None else then - now
        for now, then in zip(scores, after[: len(scores)], strict=True)
    ]
