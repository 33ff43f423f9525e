"""How a reply is sampled: the settings, and a random stream that belongs to one reply alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = 0xFFFFFFFFFFFFFFFF
_FEWEST = 8
"""Seeds for which arrays are worth the while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Settings of one sampled reply."""

    temperature: float = 1.0
    """Divides the logits; 0 takes the most likely token."""
    top_p: float = 1.0
    """Smallest set of tokens whose probability reaches this share is kept, in (0, 1]."""
    max_tokens: int = 64
    """Longest reply, in tokens; a longer one is cut and counted as truncated."""
    stop: tuple[str, ...] = ()
    """Texts that end a reply; the stop text itself stays in the reply."""
    entropy_tokens: int = 0
    """Record the entropy over the 10 likeliest candidates at this many first tokens."""

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"sampling.temperature is finite and at least 0: got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"sampling.top_p lies in (0, 1]: got {self.top_p}")
        if self.max_tokens < 1:
            raise ValueError(f"sampling.max_tokens is at least 1: got {self.max_tokens}")
        if self.entropy_tokens < 0:
            raise ValueError(f"sampling.entropy_tokens is at least 0: got {self.entropy_tokens}")
        if not all(self.stop):
            raise ValueError(f"sampling.stop holds texts of at least one character: got {self.stop}")


def mix(seeds: NDArray[np.uint64], position: NDArray[np.uint64] | int) -> NDArray[np.uint64]:
    """SplitMix64 of each seed at a position of its stream. Shapes alike. Source: Steele et al. 2014, fig. 16."""
    z = seeds + (_GOLDEN * (position + 1) & _WORD)
    z ^= z >> 30
    z *= _FIRST
    z ^= z >> 27
    z *= _SECOND
    z ^= z >> 31
    return z


def uniforms(seeds: NDArray[np.uint64], position: NDArray[np.uint64] | int) -> NDArray[np.float64]:
    """One draw from [0, 1) per seed. It depends on the seed and the position only, never on the rest of the batch."""
    return (mix(seeds, position) >> 11).astype(np.float64) * 2.0**-53


def skip(seeds: NDArray[np.uint64], draws: NDArray[np.uint64] | int) -> NDArray[np.uint64]:
    """Seeds whose streams begin where those of `seeds` are after so many draws: each after its own, or all alike."""
    return seeds + (_GOLDEN * draws & _WORD)


def derive_seed(*parts: int) -> int:
    """A 63-bit seed made of whole numbers; another seed for every other sequence of parts."""
    z = 0
    for part in parts:  # SplitMix64 of what there is so far, as in `mix`
        z = ((z ^ part) + _GOLDEN) & _WORD
        z = ((z ^ (z >> 30)) * _FIRST) & _WORD
        z = ((z ^ (z >> 27)) * _SECOND) & _WORD
        z ^= z >> 31
    return z >> 1


def derive_seeds(*parts: int | Sequence[int]) -> list[int]:
    """`derive_seed` of many sequences of parts at once: a part is one number for all of them, or one for each."""
    columns = [part for part in parts if not isinstance(part, int)]
    count = len(columns[0])
    if count < _FEWEST:
        rows = [[part] * count if isinstance(part, int) else part for part in parts]
        return [derive_seed(*row) for row in zip(*rows, strict=True)]
    state = np.zeros(count, dtype=np.uint64)
    for part in parts:
        state = mix(state ^ words(part), 0)
    found: list[int] = (state >> 1).tolist()
    return found


def words(part: int | Sequence[int]) -> NDArray[np.uint64] | np.uint64:
    """The lowest 64 bits of each number."""
    if isinstance(part, int):
        return np.uint64(part & _WORD)
    try:
        return np.array(part, dtype=np.uint64)
    except OverflowError:
        return np.array([number & _WORD for number in part], dtype=np.uint64)
