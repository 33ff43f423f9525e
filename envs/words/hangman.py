"""Hangman: find a word letter by letter."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, one_of
from turnwise.envs.core import IllegalAction, Step, TextGame
from turnwise.envs.words.guess import LONGEST_ECHO, SEAT, named
from turnwise.envs.words.lists import words

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SETTINGS = {"easy": ((4, 5), 10), "medium": ((6, 7), 8), "hard": ((7, 8), 6)}
"""Level -> (lengths of the words, misses that end the game)."""


class Hangman(TextGame):
    """Find a secret word by guessing letters, or the word itself.

    Args:
        level: easy (4 or 5 letters, 10 lives), medium (6 or 7, 8), hard (7 or 8, 6).
        lives: Misses that end the game, in place of the level's.
        dense: Pay each letter of the word that is uncovered its share of 0.5; the word as a whole, the rest.
        prompt: full or compact.
    Reward: 1 for the word, else 0. A letter that was tried before is illegal; a wrong letter or word costs a life.
    Raises ValueError on a bad argument.
    """

    seats = (SEAT,)
    utility_bounds = (0.0, 1.0)
    levels = tuple(SETTINGS)
    can_clone = has_ground_truth = has_anchor = has_board = has_solution = True

    def __init__(
        self, *, level: str = "medium", lives: int | None = None, dense: bool = False, prompt: str = "full"
    ) -> None:
        one_of("level", level, SETTINGS)
        one_of("prompt", prompt, PROMPTS)
        if lives is not None and lives < 1:
            raise ValueError(f"lives is at least 1: got {lives}")
        self.level, self.lives = level, lives or SETTINGS[level][1]
        self.dense_rewards, self.compact = dense, prompt == "compact"
        self._secret = ""

    def start(self, rng: np.random.Generator) -> None:
        lengths = SETTINGS[self.level or "medium"][0]
        secrets = words("common", lengths[int(rng.integers(len(lengths)))])
        self._secret = secrets[int(rng.integers(len(secrets)))]
        self._letters: list[str] = []
        self._wrong: list[str] = []
        self._turns, self._read = 0, -1
        self._won = False
        self._news = ""
        self.seat = SEAT

    def observe(self, seat: str) -> str:
        if self._read == self._turns:
            return ""
        first, self._read = self._read < 0, self._turns
        if self.compact:
            return self.board(seat)
        return "\n".join(text for text in (self._rules() if first else "", self._news, self.board(seat)) if text)

    def board(self, seat: str) -> str:
        missed = [letter for letter in self._letters if letter not in self._secret] + self._wrong
        return f"{self._pattern()} missed: {' '.join(missed) or 'none'}, {self._left()} lives"

    def legal(self) -> None:
        return None

    def play(self, action: str) -> Step:
        if self.seat is None:
            raise IllegalAction("the game is over")
        guess = named(action)
        self._check(guess)
        hidden = self._hidden()
        if len(guess) == 1:
            self._letters.append(guess)
            count = self._secret.count(guess)
            self._news = f"{guess} comes {count} time{'' if count == 1 else 's'}."
        elif guess == self._secret:
            self._won, self._news = True, f"{guess} is the word."
        else:
            self._wrong.append(guess)
            self._news = f"{guess} is not the word."
        self._turns += 1
        self._won = self._won or self._hidden() == 0
        over = self._won or self._left() == 0
        if over and not self._won:
            self._news += f" The word was {self._secret}."
        self.seat = None if over else SEAT
        return Step({SEAT: self._reward(hidden)}, terminated=over)

    def sample_action(self, rng: np.random.Generator) -> str:
        left = [letter for letter in LETTERS if letter not in self._letters]
        return f"[{left[int(rng.integers(len(left)))]}]"

    def ground_truth(self) -> str:
        return self._secret

    def solution(self) -> tuple[str, ...]:
        return (f"[{self._secret}]",) if self.seat else ()

    def anchor(self) -> str:
        return self.board(SEAT)

    def clone(self) -> Self:
        return copy.deepcopy(self)

    def _check(self, guess: str) -> None:
        """Raises IllegalAction."""
        fits = len(guess) in (1, len(self._secret)) and all(letter in LETTERS for letter in guess)
        if not fits:
            shown = repr(guess[:LONGEST_ECHO])
            raise IllegalAction(f"a guess is one letter, or a word of {len(self._secret)} letters: got {shown}")
        if guess in self._letters or guess in self._wrong:
            raise IllegalAction(f"{guess} was tried before")

    def _reward(self, hidden: int) -> float:
        if not self.dense_rewards:
            return float(self._won)
        share = 0.5 * (hidden - self._hidden()) / len(self._secret)
        return share + (0.5 + 0.5 * self._hidden() / len(self._secret) if self._won else 0.0)

    def _hidden(self) -> int:
        """Letters of the word that were not guessed."""
        return sum(letter not in self._letters for letter in self._secret)

    def _pattern(self) -> str:
        return " ".join(letter if letter in self._letters or self._won else "_" for letter in self._secret)

    def _left(self) -> int:
        return self.lives - len(self._wrong) - sum(letter not in self._secret for letter in self._letters)

    def _rules(self) -> str:
        return (
            "This is hangman. Find a secret English word. Guess a letter, or the whole word; a letter that is not in "
            f"the word, or a wrong word, costs one of {self.lives} lives.\n"
            "Answer with a letter or a word in square brackets, for example [e]."
        )
