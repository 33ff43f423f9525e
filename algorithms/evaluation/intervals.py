"""Confidence intervals of what is counted and of what is averaged, at 95%."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Interval = tuple[float, float]
NORMAL_95 = 1.959963984540054


def wilson(successes: float, trials: float) -> Interval:
    """The score interval of a rate, never outside [0, 1]. Raises ValueError unless 0 <= successes <= trials > 0.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"a rate needs 0 <= successes <= trials and a trial: got {successes} of {trials}")
    rate, z2 = successes / trials, NORMAL_95**2
    centre = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    reach = NORMAL_95 * math.sqrt(rate * (1 - rate) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    # At the ends the formula gives 0 and 1 but for rounding.
    return 0.0 if successes == 0 else centre - reach, 1.0 if successes == trials else centre + reach


def mean_interval(values: Sequence[float]) -> Interval | None:
    """The normal interval of the mean of independent values; None with fewer than two, where no spread is known."""
    if len(values) < 2:
        return None
    mean = float(np.mean(values))
    reach = NORMAL_95 * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean - reach, mean + reach
