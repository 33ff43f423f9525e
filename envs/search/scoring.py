"""Answers to open questions scored as SQuAD does: normalised exact match and token F1 (arXiv:1606.05250)."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = ("a", "an", "the")


def words(answer: str) -> list[str]:
    """Lower case, no ASCII punctuation, no articles, split at blanks."""
    return [word for word in answer.lower().translate(_PUNCTUATION).split() if word not in _ARTICLES]


def exact_match(answer: str, gold: Sequence[str]) -> float:
    """1.0 if the answer equals one of the gold answers word by word, else 0.0."""
    return float(any(words(answer) == words(one) for one in gold))


def token_f1(answer: str, gold: Sequence[str]) -> float:
    """The best harmonic mean of precision and recall of words over the gold answers, in [0, 1]."""
    return max((_f1(words(answer), words(one)) for one in gold), default=0.0)


def _f1(answer: list[str], gold: list[str]) -> float:
    if not answer or not gold:
        return float(answer == gold)
    shared = sum((Counter(answer) & Counter(gold)).values())
    return 2 * shared / (len(answer) + len(gold))
