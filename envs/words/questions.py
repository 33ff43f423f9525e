"""What a question of TwentyQuestions asks for: a guess, or an attribute by its name or by key words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from turnwise.envs.words.knowledge import knowledge

_WORD = re.compile(r"[a-z0-9]+")
_ARTICLES = {"a", "an", "the"}
_NEGATIONS = {"not", "no", "never", "cannot", "without", "non"}
_GUESSES = (
    *("guess", "my guess is", "i guess", "i guess it is", "i think it is", "i think that it is", "my answer is"),
    *("is it", "is it maybe", "is it perhaps", "is this", "is object", "is your object", "it is", "answer", "so is it"),
)
"""What may stand before the name of an object that is guessed."""

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One question, read."""

    guess: str | None = None
    """The object that is guessed."""
    attributes: tuple[str, ...] = ()
    """What is asked for: one, or too many, or nothing that is known."""
    negated: bool = False
    """Yes and no would be unclear: only a whole sentence answers it."""


def read_question(text: str) -> Question:
    """What a text asks for. Guesses of known objects come first, then the longest key words from left to right."""
    words = _words(text)
    guess = _guessed(words)
    if guess is not None:
        return Question(guess=guess)
    found: dict[str, None] = {}
    negated = any(word in _NEGATIONS for word in words)
    place = 0
    phrases, longest = _phrases()
    while place < len(words):
        for length in range(min(longest, len(words) - place), 0, -1):
            hit = phrases.get(words[place : place + length])
            if hit is not None:
                found[hit[0]] = None
                negated ^= hit[1]
                place += length - 1
                break
        place += 1
    return Question(attributes=tuple(found), negated=negated)


def _guessed(words: Words) -> str | None:
    """The known object that the words name, alone or after a form of guessing."""
    names, forms = _names()
    for length in range(min(len(words), max(map(len, forms))), -1, -1):
        if words[:length] in forms and words[length:] in names:
            return names[words[length:]]
    return None


def _words(text: str) -> Words:
    """Lower case, no articles, no plurals, short forms written out."""
    plain = text.lower().replace("\u2019", "'").replace("can't", "cannot").replace("n't", " not").replace("'s", " is")
    return tuple(_singular(word) for word in _WORD.findall(plain) if word not in _ARTICLES)


def _singular(word: str) -> str:
    alike = {"larger": "bigger", "greater": "bigger", "human": "person", "people": "person", "humans": "person"}
    if word in alike:
        return alike[word]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


@cache
def _names() -> tuple[dict[Words, str], frozenset[Words]]:
    """(words of every name -> object, forms of guessing)."""
    names = {_words(name): thing.name for thing in knowledge().things for name in (thing.name, *thing.aliases)}
    return names, frozenset((*map(_words, _GUESSES), ()))


@cache
def _phrases() -> tuple[dict[Words, tuple[str, bool]], int]:
    """(key words -> attribute and whether they ask for the contrary, most words of a key)."""
    found: dict[Words, tuple[str, bool]] = {}
    for attribute in knowledge().attributes:
        said = attribute.predicate.partition(" ")[2]
        for phrase in (attribute.name, said, *attribute.phrases):
            found.setdefault(_words(phrase), (attribute.name, False))
        for phrase in attribute.opposites:
            found.setdefault(_words(phrase), (attribute.name, True))
    return found, max(map(len, found))
