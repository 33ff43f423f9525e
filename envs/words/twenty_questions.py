"""Twenty questions: find an object by asking what is true of it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Self

import numpy as np

from turnwise.envs.arguments import PROMPTS, one_of
from turnwise.envs.core import EnvFailure, IllegalAction, Step, TextGame
from turnwise.envs.parsing import read_action
from turnwise.envs.words.guess import SEAT
from turnwise.envs.words.knowledge import Thing, knowledge
from turnwise.envs.words.questions import read_question

SETTINGS: dict[str, int | None] = {"easy": 16, "medium": 60, "hard": None}
"""Level -> how many objects may be the secret; None: all."""
LONGEST_QUESTION = 300
LONGEST_ANSWER = 200
"""Characters. A longer question is illegal; a longer answer of a pluggable answerer is cut."""
UNKNOWN = "?"

Answerer = Callable[[str, str], str]
"""(object, question) -> what is answered."""


class TwentyQuestions(TextGame):
    """Find a secret object within a number of yes-or-no questions; guesses count as questions.

    Args:
        level: easy (16 objects, drawn anew and named in the rules), medium (60), hard (all).
        questions: Questions and guesses in a game.
        answerer: Called as answerer(object, question) in place of the shipped table; it can be pickled, and returns
            a text. Where it fails, the environment has failed (EnvFailure). Guesses are still judged by the game.
        prompt: full or compact.
    Reward: 1 for the right guess, else 0. A question that the table cannot answer uses one up.
    Raises ValueError on a bad argument.
    """

    seats = (SEAT,)
    utility_bounds = (0.0, 1.0)
    levels = tuple(SETTINGS)
    can_clone = has_ground_truth = has_anchor = has_board = has_solution = True

    def __init__(
        self, *, level: str = "easy", questions: int = 20, answerer: Answerer | None = None, prompt: str = "full"
    ) -> None:
        one_of("level", level, SETTINGS)
        one_of("prompt", prompt, PROMPTS)
        if not isinstance(questions, int) or not 1 <= questions <= 1000:
            raise ValueError(f"questions is a whole number from 1 to 1000: got {questions!r}")
        if answerer is not None:
            _require_answerer(answerer)
        self.level, self.questions, self.answerer, self.compact = level, questions, answerer, prompt == "compact"
        self._secret = ""

    def start(self, rng: np.random.Generator) -> None:
        things = knowledge().things
        count = SETTINGS[self.level or "easy"] or len(things)
        places = sorted(rng.choice(len(things), count, replace=False)) if self.level == "easy" else range(count)
        self._candidates = tuple(things[int(place)].name for place in places)
        self._secret = self._candidates[int(rng.integers(count))]
        self._asked: tuple[tuple[str, str], ...] = ()
        self._news, self._won, self._read = "", False, -1
        self.seat = SEAT

    def observe(self, seat: str) -> str:
        if self._read == len(self._asked):
            return ""
        first, self._read = self._read < 0, len(self._asked)
        if self.compact:
            return self.board(seat)
        return f"{self._rules() if first else self._news}\n{self._left()}"

    def board(self, seat: str) -> str:
        named = f"one of: {', '.join(self._candidates)}\n" if self.level == "easy" else ""
        told = ", ".join(f"{asked} {answer}" for asked, answer in dict.fromkeys(self._asked)) or "nothing asked yet"
        return f"{named}{told}\n{self.questions - len(self._asked)} questions left"

    def legal(self) -> None:
        return None

    def play(self, action: str) -> Step:
        if self.seat is None:
            raise IllegalAction("the game is over")
        text = " ".join((read_action(action, ()) or action).split())
        if not any(letter.isalnum() for letter in text):
            raise IllegalAction("a question needs words: ask for example whether it is an animal")
        if len(text) > LONGEST_QUESTION:
            raise IllegalAction(f"a question has at most {LONGEST_QUESTION} characters: got {len(text)}")
        guess = read_question(text).guess
        asked, answer, self._news = self._answer(text) if guess is None else self._judge(guess)
        self._won = guess == self._secret
        self._asked = (*self._asked, (asked, answer))
        over = self._won or len(self._asked) == self.questions
        self.seat = None if over else SEAT
        return Step({SEAT: float(self._won)}, terminated=over)

    def sample_action(self, rng: np.random.Generator) -> str:
        """A random attribute; at the last question a random guess, for nothing else can pay there."""
        if len(self._asked) == self.questions - 1:
            return f"[guess: {self._candidates[int(rng.integers(len(self._candidates)))]}]"
        attributes = knowledge().attributes
        return f"[{attributes[int(rng.integers(len(attributes)))].name}]"

    def ground_truth(self) -> str:
        return self._secret

    def solution(self) -> tuple[str, ...]:
        return (f"[guess: {self._secret}]",) if self.seat else ()

    def anchor(self) -> str:
        told = sorted({f"{asked} {answer}" for asked, answer in self._asked})
        names = ",".join(self._candidates) if self.level == "easy" else self.level
        return f"{names}|{'|'.join(told)}|{len(self._asked)}"

    def clone(self) -> Self:
        return copy.copy(self)  # a state of immutable values

    def _judge(self, guess: str) -> tuple[str, str, str]:
        right = guess == self._secret
        return guess, "yes" if right else "no", f"{'Yes' if right else 'No'}: it is {'' if right else 'not '}{guess}."

    def _answer(self, text: str) -> tuple[str, str, str]:
        """(what was asked, yes or no or ?, what the seat reads)."""
        if self.answerer is not None:
            answer = _ask(self.answerer, self._secret, text)
            return f'"{_plain(text)}"', answer, f"The answer: {answer}"
        question = read_question(text)
        if len(question.attributes) != 1:
            return UNKNOWN, UNKNOWN, _cannot_tell(question.attributes)
        (attribute,) = (one for one in knowledge().attributes if one.name == question.attributes[0])
        holds = attribute.name in _thing(self._secret).attributes
        sentence = attribute.sentence(holds)
        news = sentence if question.negated else f"{'Yes' if holds else 'No'}: {sentence[0].lower()}{sentence[1:]}"
        return attribute.name, "yes" if holds else "no", news

    def _left(self) -> str:
        if self.seat is None:
            return "You have found it." if self._won else f"No question is left. It was {self._secret}."
        left = self.questions - len(self._asked)
        return f"{left} question{'s' if left > 1 else ''} left."

    def _rules(self) -> str:
        which = f"It is one of: {', '.join(self._candidates)}.\n" if self.level == "easy" else ""
        topics = "" if self.answerer else f"You can ask about: {_topics()}.\n"
        return (
            f"I think of an object. Find it with at most {self.questions} questions that can be answered with yes or "
            "no, one in each reply; a guess counts as a question, and the right guess wins. A question that I cannot "
            f"answer counts too.\n{which}{topics}"
            "Answer with a question, for example: Is it an animal? Or guess, for example: [guess: cat]."
        )


def _topics() -> str:
    return ", ".join(attribute.name for attribute in knowledge().attributes)


def _cannot_tell(attributes: tuple[str, ...]) -> str:
    if not attributes:
        return f"I cannot tell: ask about one of {_topics()}."
    return f"I cannot tell: ask about one thing at a time, not about {', '.join(attributes[:5])} at once."


def _thing(name: str) -> Thing:
    return next(thing for thing in knowledge().things if thing.name == name)


def _require_answerer(answerer: object) -> None:
    """Raises ValueError."""
    if not callable(answerer):
        raise ValueError(f"answerer is called as answerer(object, question): got {type(answerer).__name__}")
    try:
        pickle.dumps(answerer)
    except Exception as error:  # whatever its own attributes raise
        raise ValueError(f"answerer can be pickled, for example a function of a module: {error}") from error


def _ask(answerer: Answerer, thing: str, question: str) -> str:
    """The answer in a line. Raises EnvFailure."""
    try:
        answer = answerer(thing, question)
    except Exception as error:  # code of the user's
        raise EnvFailure(f"the answerer failed: {type(error).__name__}: {str(error)[:LONGEST_ANSWER]}") from error
    if not isinstance(answer, str) or not answer.strip():
        raise EnvFailure(f"the answerer returns a text that is not empty: got {type(answer).__name__}")
    return _plain(answer)[:LONGEST_ANSWER]


def _plain(text: str) -> str:
    """In one line, without what cannot be printed."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
