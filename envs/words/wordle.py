"""Wordle: find a word by guessing words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from turnwise.envs.arguments import one_of
from turnwise.envs.core import IllegalAction
from turnwise.envs.words.game import GuessingGame, Tried
from turnwise.envs.words.guess import LONGEST_ECHO
from turnwise.envs.words.lists import LENGTHS, allowed, words

RIGHT, ELSEWHERE, ABSENT = "G", "Y", "-"
SHOWN = {RIGHT: "right", ELSEWHERE: "elsewhere", ABSENT: "absent"}
SETTINGS = {"easy": (4, 8), "medium": (5, 6), "hard": (6, 6)}
"""Level -> (letters, guesses)."""


def wordle(
    *,
    level: str = "medium",
    length: int | None = None,
    guesses: int | None = None,
    hard_mode: bool = False,
    dense: bool = False,
    prompt: str = "full",
) -> GuessingGame:
    """Find a secret word; after every guess one reads which letters are right, elsewhere, or absent.

    Args:
        level: easy (4 letters, 8 guesses), medium (5, 6), hard (6, 6).
        length, guesses: In place of the level's; 4 to 8 letters.
        hard_mode: A guess has to fit everything that was read before.
        dense: Pay half of the reward for letters in their place, as they are found.
        prompt: full or compact.
    Reward: 1 for the word within the guesses, else 0. A guess is a word of the shipped list; any other is illegal.
    Raises ValueError on a bad argument.
    """
    one_of("level", level, SETTINGS)
    one_of("length", length, (None, *LENGTHS))
    if guesses is not None and guesses < 1:
        raise ValueError(f"guesses is at least 1: got {guesses}")
    standard = SETTINGS[level]
    rules = WordleRules(length or standard[0], guesses or standard[1], hard_mode)
    return GuessingGame(rules, level=level, levels=tuple(SETTINGS), dense=dense, prompt=prompt)


def feedback(guess: str, secret: str) -> str:
    """One of G, Y, - per letter of the guess.

    A letter is marked as often as it stands in the secret at most: right places first, then from the left.
    """
    pairs = list(zip(guess, secret, strict=True))
    left = Counter(wanted for letter, wanted in pairs if letter != wanted)
    marks = []
    for letter, wanted in pairs:
        if letter == wanted:
            marks.append(RIGHT)
        elif left[letter] > 0:
            left[letter] -= 1
            marks.append(ELSEWHERE)
        else:
            marks.append(ABSENT)
    return "".join(marks)


@dataclass(frozen=True, slots=True)
class WordleRules:
    """Rules of `GuessingGame`."""

    length: int
    guesses: int
    hard_mode: bool

    def draw(self, rng: np.random.Generator) -> str:
        secrets = words("common", self.length)
        return secrets[int(rng.integers(len(secrets)))]

    def check(self, guess: str, tried: Tried) -> None:
        shown = repr(guess[:LONGEST_ECHO])
        if len(guess) != self.length:
            raise IllegalAction(f"a guess has {self.length} letters: got {shown}")
        if guess not in allowed(self.length):
            raise IllegalAction(f"{shown} is not in the word list")
        if self.hard_mode and not _fits(guess, tried):
            raise IllegalAction(f"in hard mode a guess fits all that you have read: {shown} does not")

    def marks(self, guess: str, secret: str) -> str:
        return feedback(guess, secret)

    def explain(self, guess: str, marks: str) -> str:
        return f"{guess}: {', '.join(f'{letter} {SHOWN[mark]}' for letter, mark in zip(guess, marks, strict=True))}."

    def introduction(self) -> str:
        hard = " Every guess has to fit all that you have read before." if self.hard_mode else ""
        return (
            f"This is Wordle. Find a secret English word of {self.length} letters in at most {self.guesses} guesses. "
            "After each guess you read of every letter whether it is right (in its place), elsewhere (in the word, at "
            f"another place) or absent (not in the word, or not once more).{hard}\n"
            f"Answer with a word in square brackets, for example [{words('common', self.length)[0]}]."
        )

    def state(self) -> str:
        return f"{self.length} letters"

    def sample(self, tried: Tried, rng: np.random.Generator) -> str:
        fitting = [word for word in words("common", self.length) if not self.hard_mode or _fits(word, tried)]
        return fitting[int(rng.integers(len(fitting)))]

    def progress(self, tried: Tried) -> float:
        found = {place for _, marks in tried for place, mark in enumerate(marks) if mark == RIGHT}
        return len(found) / self.length


def _fits(word: str, tried: Tried) -> bool:
    """Whether the word, were it the secret, would have given all these marks."""
    return all(feedback(guess, word) == marks for guess, marks in tried)
