"""Was a published claim seen? One rule for all of them, on the figures of a few seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

ERRORS = 2.0
"""A difference counts where it is larger than so many of its standard errors."""
SEEN, REVERSED, NOT_SEEN = "seen", "the other way round", "not seen at this scale"
ONE_SEED, MISSING = "no verdict from one seed", "no verdict: runs are missing"
RULE = (
    f"difference of the means over the seeds, against {ERRORS:g} times its standard error "
    "sqrt(s1^2/n1 + s2^2/n2), s the sample standard deviation over the seeds; larger: seen or the other way round, "
    "by its sign; else not seen. 'At half the calls' counts as seen already where the difference is not below 0."
)


class Verdict(NamedTuple):
    """What the figures say about a claim."""

    difference: float | None
    """By how much the mean of those that should be ahead is better, in units of the figure; positive: they are."""
    error: float | None
    """Its standard error; None where a side has one seed only."""
    verdict: str


def judge(better: Sequence[float], than: Sequence[float], *, lower: bool, level_is_enough: bool = False) -> Verdict:
    """The verdict of `RULE`.

    Args:
        better, than: [seeds] figures of those that should be ahead, and of the others; none: nothing was measured.
        lower: A smaller figure is the better one.
        level_is_enough: The claim is that they are at least as good.
    """
    if not better or not than:
        return Verdict(None, None, MISSING)
    difference = statistics.fmean(better) - statistics.fmean(than)
    difference = -difference if lower else difference
    if min(len(better), len(than)) < 2:
        return Verdict(difference, None, ONE_SEED)
    error = math.sqrt(statistics.variance(better) / len(better) + statistics.variance(than) / len(than))
    if difference > ERRORS * error or (level_is_enough and difference >= 0):
        return Verdict(difference, error, SEEN)
    return Verdict(difference, error, REVERSED if difference < -ERRORS * error else NOT_SEEN)
