"""Soft punishment of overlong replies, to be added to the reward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from turnwise.algorithms.checks import require_between
from turnwise.algorithms.credit.groups import Floats


def overlong_penalty(lengths: Sequence[int], max_length: int, cache: int) -> Floats:
    """0 up to `max_length - cache` tokens, falling linearly to -1 at `max_length`, -1 beyond.

    Args:
        lengths: [N] reply lengths in tokens.
        max_length: Longest reply that is not fully punished, in tokens.
        cache: Width of the slope in tokens, in [0, max_length].
    Returns: [N] float64 in [-1, 0], in task units.
    Raises: ValueError if `max_length` is not positive or `cache` lies outside its range.
    Source: Yu et al. 2025 (DAPO), arXiv:2503.14476, eq. 13.
    """
    require_between("max_length", max_length, 0, open_low=True)
    require_between("cache", cache, 0, max_length)
    length = np.asarray(lengths, dtype=np.float64)
    slope = (max_length - cache - length) / max(cache, 1)
    return np.where(length > max_length, -1.0, np.clip(slope, -1.0, 0.0)) + 0.0
