"""`generators`: what `numpy.random.default_rng` makes of many seeds, for much less than one call each.

Half of the turns of a short game are its first or last, and most of what a new episode costs is numpy's hashing of its
seed (`SeedSequence`). That hash is fixed for good (NEP 19), and here it is worked out for all seeds at once.
Source: numpy/random/bit_generator.pyx, after M. E. O'Neill, "Developing a seed_seq alternative" (2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISpawnableSeedSequence
from numpy.typing import NDArray

Words = NDArray[np.uint32]

_POOL = 4  # words of 32 bits
_SHIFT = np.uint32(16)
_FEWEST = 4  # seeds for which it is worth the while


def _constants(first: int, factor: int, count: int) -> Words:
    """first * factor**k modulo 2**32 for k = 0, 1, ..., as a column."""
    return np.array([first * pow(factor, k, 1 << 32) % (1 << 32) for k in range(count)], dtype=np.uint32)[:, None]


_A = _constants(0x43B0D7E5, 0x931E8875, 4 * _POOL + 1)
_B = _constants(0x8B51F9DD, 0x58F38DED, 2 * _POOL + 1)
_LEFT, _RIGHT = np.array([0xCA01F9DD], dtype=np.uint32), np.array([0x4973F715], dtype=np.uint32)
_OTHERS = [np.array([j for j in range(_POOL) if j != i]) for i in range(_POOL)]


def _fold(values: Words) -> Words:
    return values ^ (values >> _SHIFT)


def seed_words(seeds: Sequence[int]) -> NDArray[np.uint64]:
    """[seeds, 4]: `SeedSequence(seed).generate_state(4, np.uint64)` of every seed in [0, 2**64)."""
    entropy = np.array(seeds, dtype="<u8").view("<u4").reshape(-1, 2).T
    pool = np.zeros((_POOL, len(seeds)), dtype=np.uint32)
    pool[:2] = entropy
    pool = _fold((pool ^ _A[:_POOL]) * _A[1 : _POOL + 1])
    for source, others in enumerate(_OTHERS):
        at = _POOL + source * len(others)
        hashed = _fold((pool[source] ^ _A[at : at + 3]) * _A[at + 1 : at + 4])
        pool[others] = _fold(_LEFT * pool[others] - _RIGHT * hashed)
    state = _fold((np.concatenate((pool, pool)) ^ _B[:-1]) * _B[1:])
    return np.ascontiguousarray(state.T).astype("<u4").view("<u8").astype(np.uint64, copy=False)


class HashedSeed(ISpawnableSeedSequence):
    """A `SeedSequence` whose first four words of 64 bits are known already; for all else it asks a real one."""

    def __init__(self, entropy: int, words: NDArray[np.uint64]) -> None:
        self.entropy, self._words = entropy, words
        self._real: np.random.SeedSequence | None = None

    def real(self) -> np.random.SeedSequence:
        """The one that numpy would have made."""
        if self._real is None:
            self._real = np.random.SeedSequence(self.entropy)
        return self._real

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        if n_words == len(self._words) and dtype is np.uint64:
            return self._words
        return self.real().generate_state(n_words, dtype)

    def spawn(self, n_children: int) -> Any:
        return self.real().spawn(n_children)


def generators(seeds: Sequence[int]) -> list[np.random.Generator]:
    """`default_rng(seed)` of every seed: the same numbers, children and copies."""
    if len(seeds) < _FEWEST or not 0 <= min(seeds) <= max(seeds) < 1 << 64:
        return [np.random.default_rng(seed) for seed in seeds]
    words = seed_words(seeds)
    return [
        np.random.Generator(np.random.PCG64(HashedSeed(seed, row)))  # type: ignore[arg-type]
        for seed, row in zip(seeds, words, strict=True)
    ]
