"""From one number per turn to the tokens that the policy sampled in that turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from turnwise.algorithms.credit.groups import Floats


def turn_of_tokens(spans: Sequence[tuple[int, int]], width: int) -> npt.NDArray[np.intp]:
    """[T] index of the turn that sampled each token of a row, -1 on tokens that the policy did not sample.

    Args:
        spans: (start, end) of each turn's completion in the row, end exclusive, in order and without overlap.
        width: T, length of the row in tokens, padding included.
    Raises: ValueError if a span leaves the row, runs backwards or begins before the one before it ended.
    """
    turn_of = np.full(width, -1, dtype=np.intp)
    free_from = 0
    for turn, (start, end) in enumerate(spans):
        if not free_from <= start <= end <= width:
            raise ValueError(
                f"spans are ordered, disjoint and inside a row of {width} tokens: got ({start}, {end}) for turn {turn} "
                f"where tokens are free from {free_from}"
            )
        turn_of[start:end] = turn
        free_from = end
    return turn_of


def broadcast(
    turn_advantages: Sequence[float | None], turn_of: npt.NDArray[np.integer]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Put each turn's advantage on its tokens.

    Args:
        turn_advantages: One per turn, in task units; None where the turn is not trained.
        turn_of: Any shape: index of each token's turn, -1 on tokens that the policy did not sample.
    Returns: float64 advantages, 0.0 on tokens that are not trained, and the bool mask of tokens that are; both in the
        shape of `turn_of`.
    Raises: ValueError if `turn_of` names a turn that has no entry.
    """
    if turn_of.size and not -1 <= turn_of.min() <= turn_of.max() < len(turn_advantages):
        raise ValueError(
            f"turn_of holds -1 and indices below {len(turn_advantages)}: got {turn_of.min()} to {turn_of.max()}"
        )
    # One more entry at the end, so that index -1 reads "not trained".
    values = np.array([0.0 if value is None else value for value in turn_advantages] + [0.0])
    trained = np.array([value is not None for value in turn_advantages] + [False])
    return values[turn_of], trained[turn_of]
