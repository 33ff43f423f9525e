"""ToolRL: how near a seat's tool calls come to those of a reference, name by name and argument by argument."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.rewards.calls import ToolCall

MATCHINGS = ("partial", "strict", "coarse", "intermediate")
SCALES = ("standard", "equal", "two_stage", "smooth")
LENGTH_BONUSES = ("none", "fixed", "growing")
STAGE = 30
"""Steps of the first stage of `two_stage`."""
EXCHANGE = 150
"""Steps over which `smooth` shifts weight from format to correctness."""
GROWTH = 105
"""Steps over which the length of `growing` grows."""


class Bounds(NamedTuple):
    """Lowest and highest reward of each part, in task units."""

    format: tuple[float, float]
    correctness: tuple[float, float]


def jaccard(left: Iterable[Hashable], right: Iterable[Hashable]) -> float:
    """Share of two multisets that they have in common, in [0, 1]; 1 where both are empty."""
    one, other = Counter(iter(left)), Counter(iter(right))  # iter: the names of a mapping, not its counts
    together = (one | other).total()
    return (one & other).total() / together if together else 1.0


def correctness(
    reference: Sequence[ToolCall],
    predicted: Sequence[ToolCall] | None,
    *,
    maximum: float = 3.0,
    minimum: float = -3.0,
    matching: str = "partial",
) -> float:
    """How right the predicted calls are, in [minimum, maximum].

    Equal lists of calls get the maximum. Else S = (overlap of the names) + sum over the reference's calls of
    (overlap of the argument names + number of arguments with the same value), each call compared with the best unused
    predicted one of its name, in order; the reward is linear in S, whose largest value is
    1 + sum of (1 + number of arguments). Overlaps are multiset Jaccard; values are the same where Python's == says so.

    Args:
        reference: Right calls; without any the reward is 0.
        predicted: The calls that were made; None where they could not be read: the minimum.
        maximum, minimum: Task units.
        matching: `partial`: as above. `strict`: an overlap counts 1 where it is whole, else 0. `coarse`: anything but
            equality gets the minimum. `intermediate`: a reference's call counts 1 where an unused predicted one equals
            it, else 0, and the largest S is 1 + number of calls.
    Raises: ValueError on an unknown matching, or bounds that are not in order.
    Source: Qian et al. 2025 (ToolRL), arXiv:2504.13958, section 3.3 and its ablations.
    """
    require_choice("matching", matching, MATCHINGS)
    require_between("minimum", minimum, high=maximum)
    if not reference:
        return 0.0
    if predicted is None:
        return minimum
    if list(reference) == list(predicted):
        return maximum
    if matching == "coarse":
        return minimum
    score = _overlap((call.name for call in reference), (call.name for call in predicted), matching)
    score += sum(_best_scores(reference, predicted, matching))
    highest = 1.0 + sum(1.0 if matching == "intermediate" else 1.0 + len(call.arguments) for call in reference)
    return minimum + (maximum - minimum) * score / highest


def _best_scores(reference: Sequence[ToolCall], predicted: Sequence[ToolCall], matching: str) -> list[float]:
    """Of each reference's call the score of the best predicted one; a call that scores 0 stays free for the others."""
    unused, best = list(predicted), []
    for call in reference:
        scores = [_call_score(call, other, matching) for other in unused]
        best.append(max(scores, default=0.0))
        if best[-1] > 0.0:
            del unused[scores.index(best[-1])]
    return best


def _call_score(reference: ToolCall, predicted: ToolCall, matching: str) -> float:
    if reference.name != predicted.name:
        return 0.0
    if matching == "intermediate":
        return float(reference == predicted)
    mine, theirs = reference.arguments, predicted.arguments
    same = sum(1.0 for name, value in mine.items() if name in theirs and theirs[name] == value)
    return _overlap(mine, theirs, matching) + same


def _overlap(left: Iterable[Hashable], right: Iterable[Hashable], matching: str) -> float:
    found = jaccard(left, right)
    return float(found == 1.0) if matching == "strict" else found


def bounds(scale: str, step: int) -> Bounds:
    """Lowest and highest reward of format and correctness.

    Args:
        scale: `standard`: format in [0, 1], correctness in [-3, 3]. `equal`: correctness in [-1, 1].
            `two_stage`: `equal` for 30 steps, then format in [0, 1/2] and correctness in [-3, 3].
            `smooth`: both in [-2, 2] at first; over 150 steps format shrinks to [-1, 1], correctness grows to [-3, 3].
        step: Updates so far, >= 0.
    Raises: ValueError on an unknown scale or a negative step.
    Source: Qian et al. 2025 (ToolRL), arXiv:2504.13958, section 5.2.
    """
    require_choice("scale", scale, SCALES)
    require_between("step", step, 0)
    if scale == "smooth":
        done = min(step / EXCHANGE, 1.0)
        return Bounds((done - 2.0, 2.0 - done), (-2.0 - done, 2.0 + done))
    if scale == "two_stage" and step >= STAGE:
        return Bounds((0.0, 0.5), (-3.0, 3.0))
    widest = 3.0 if scale == "standard" else 1.0
    return Bounds((0.0, 1.0), (-widest, widest))


def length_bonus(words: float, step: int, kind: str = "fixed") -> float:
    """min(words / full length, 1), in task units.

    Args:
        words: Words of the reasoning, >= 0.
        step: Updates so far, >= 0.
        kind: `none`: 0. `fixed`: the full length is 512 words. `growing`: from 384 to 640 words over 105 steps.
    Raises: ValueError on an unknown kind or a negative number.
    Source: Qian et al. 2025 (ToolRL), arXiv:2504.13958, section 5.1.
    """
    require_choice("length_bonus", kind, LENGTH_BONUSES)
    require_between("words", words, 0)
    require_between("step", step, 0)
    if kind == "none":
        return 0.0
    full = 512.0 if kind == "fixed" else 384.0 + 256.0 * min(step / GROWTH, 1.0)
    return min(words / full, 1.0)
