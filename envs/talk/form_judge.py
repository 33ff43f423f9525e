"""`form_judge`: scores how debaters speak, not what is true or wise in it. A stand-in for a real judge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from turnwise.envs.talk.speech import Speech

ENOUGH_WORDS = 3
"""Words of the topic, or of the others, that a speech takes up for full marks."""
SHORTEST, LONGEST = 20, 150
"""Words of a speech between which its length is right."""
_WORD = re.compile(r"[^\W_]+")
_COMMON_WORDS = """
    a about all also am an and are as at be because been but by can could did do does for from had has have he her
    his how i if in into is it its me more most my no not of on only or our out should so some than that the their
    them then there these they this those to too up us was we were what when where which who why will with would
    you your yes never always say says think
"""
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True, slots=True)
class Transcript:
    """A debate as its judge reads it."""

    question: str
    sides: tuple[tuple[str, str], ...]
    """(seat, the side that it argues for) of every debater, in the order of speaking."""
    speeches: tuple[Speech, ...]


def form_judge(debate: Transcript) -> Mapping[str, float]:
    """Seat -> score in [0, 1]: the mean of the marks of its speeches, rounded to six digits.

    The mark of a speech is the mean of up to four parts in [0, 1]: relevance (words of the topic and of its sides, up
    to three), answering (words that others brought up before, up to three; left out while nobody else has spoken),
    novelty (the share of its words that it has not said before) and length (20 to 150 words).
    """
    return {seat: _score(debate, seat) for seat, _ in debate.sides}


def _score(debate: Transcript, seat: str) -> float:
    topic = set(_content(" ".join([debate.question, *(side for _, side in debate.sides)])))
    own: set[str] = set()
    others: set[str] = set()
    marks = []
    others_spoke = False
    for speech in debate.speeches:
        words = _content(speech.text)
        if speech.seat != seat:
            others |= set(words) - topic
            others_spoke = True
            continue
        marks.append(_mark(speech.text, words, topic, own, others if others_spoke else None))
        own |= set(words)
    return round(sum(marks) / len(marks), 6) if marks else 0.0


def _mark(text: str, words: list[str], topic: set[str], own: set[str], others: set[str] | None) -> float:
    """Mark of one speech. others: words that others brought up; None where nobody else has spoken."""
    said = set(words)
    parts = [min(1.0, len(said & topic) / ENOUGH_WORDS), _novelty(words, own), _length(len(_WORD.findall(text)))]
    if others is not None:
        parts.append(min(1.0, len(said & others) / ENOUGH_WORDS))
    return sum(parts) / len(parts)


def _novelty(words: list[str], own: set[str]) -> float:
    return len(set(words) - own) / len(words) if words else 0.0


def _length(count: int) -> float:
    if count < SHORTEST:
        return count / SHORTEST
    return min(1.0, LONGEST / count)


def _content(text: str) -> list[str]:
    """Words in lower case without the common ones."""
    return [word for word in _WORD.findall(text.lower()) if word not in _COMMON]
