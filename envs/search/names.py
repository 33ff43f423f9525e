"""Invented names: pronounceable, and never twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_SINGLE = "bdfghklmnprstvz"
_DOUBLE = ("br", "dr", "gr", "kr", "pr", "tr", "st", "sk", "sh", "th", "ch", "bl", "gl", "pl", "fl")
_ONSETS = (*_SINGLE, *_DOUBLE)
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "io", "ou"]
_CODAS = ["", "", "", "n", "r", "l", "s", "m", "th", "rn", "nd", "st"]


def word(rng: np.random.Generator, syllables: int) -> str:
    """An invented word with a capital letter."""
    onset, vowel, coda = (rng.integers(len(parts), size=syllables) for parts in (_ONSETS, _VOWELS, _CODAS))
    parts = [
        _ONSETS[onset[i]] + _VOWELS[vowel[i]] + (_CODAS[coda[i]] if i == syllables - 1 else "")
        for i in range(syllables)
    ]
    return "".join(parts).capitalize()


def fresh_words(rng: np.random.Generator, taken: set[str], syllables: int = 2) -> Iterator[str]:
    """Invented words that nothing is called yet; they get longer as the short ones run out. Adds them to `taken`."""
    failures = 0
    while True:
        name = word(rng, syllables + failures // 20)
        if name in taken:
            failures += 1
            continue
        failures = 0
        taken.add(name)
        yield name
