"""Statements that are true or false beyond doubt, drawn by kind and level."""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Callable, Iterable

import numpy as np

from turnwise.envs.talk.facts import Claims, facts
from turnwise.envs.words.lists import words

LEVELS = ("easy", "medium", "hard")
MOST_LIES = 3
_YEAR = 2023  # no leap year
_MONTHS, _DAYS = tuple(calendar.month_name), tuple(calendar.day_name)
_ORDINALS = ("first", "second", "third", "fourth", "fifth")


def draw_claims(level: str, rng: np.random.Generator) -> Claims:
    """One truth and three lies of a kind that is drawn, each as likely as the others; the order says nothing."""
    kinds = (_knowledge, _arithmetic, _number, _geometry, _calendar, _letters)
    return kinds[int(rng.integers(len(kinds)))](level, rng)


def _knowledge(level: str, rng: np.random.Generator) -> Claims:
    known = facts(level)
    return known[int(rng.integers(len(known)))]


def _arithmetic(level: str, rng: np.random.Generator) -> Claims:
    if level == "easy":
        first, second = _between(rng, 11, 99), _between(rng, 11, 99)
        return _numeric("arithmetic", f"{first} plus {second} is {{}}.", first + second, (1, 2, 10), rng)
    low, high = (11, 30) if level == "medium" else (101, 999)
    first, second = _between(rng, low, high), _between(rng, 11, 99)
    return _numeric("arithmetic", f"{first} times {second} is {{}}.", first * second, (1, 2, 10, 20, 100), rng)


def _number(level: str, rng: np.random.Generator) -> Claims:
    """A property that one number has and the others have not."""
    if level == "easy":
        divisor, holds = 2, "{} is an even number."
    elif level == "medium":
        divisor = (3, 7, 9, 11)[int(rng.integers(4))]
        holds = f"{{}} can be divided by {divisor} without a remainder."
    else:
        return _one_of_numbers("{} is a prime number.", is_prime, 101, 999, rng)
    return _one_of_numbers(holds, lambda number: number % divisor == 0, 20, 99 if level == "easy" else 999, rng)


def _geometry(level: str, rng: np.random.Generator) -> Claims:
    first, second, third = _between(rng, 3, 12), _between(rng, 3, 12), _between(rng, 3, 12)
    if level == "easy":
        form = f"A rectangle with sides of {first} cm and {second} cm has an area of {{}} square cm."
        return _numeric("geometry", form, first * second, (1, 2, 5, 10), rng)
    if level == "medium":
        form = f"A box of {first} cm by {second} cm by {third} cm has a volume of {{}} cubic cm."
        return _numeric("geometry", form, first * second * third, (2, 5, 10, 20), rng)
    sides = _between(rng, 5, 20)
    form = f"The inner angles of a flat convex polygon with {sides} corners add up to {{}} degrees."
    return _numeric("geometry", form, 180 * (sides - 2), (180, 360, 90), rng)


def _calendar(level: str, rng: np.random.Generator) -> Claims:
    if level == "easy":
        month = _between(rng, 1, 11)
        others = [name for name in _MONTHS[1:] if name not in (_MONTHS[month], _MONTHS[month + 1])]
        return _named("calendar", f"The month after {_MONTHS[month]} is {{}}.", _MONTHS[month + 1], others, rng)
    begin = datetime.date(_YEAR, 1, 1) + datetime.timedelta(days=_between(rng, 0, 200))
    if level == "medium":
        days = _between(rng, 20, 150)
        end = begin + datetime.timedelta(days=days)
        form = f"In {_YEAR} the {_date(end)} came {{}} days after the {_date(begin)}."
        return _numeric("calendar", form, days, (1, 2, 3, 7), rng)
    day = datetime.date(_between(rng, 1900, 2023), 1, 1) + datetime.timedelta(days=_between(rng, 0, 364))
    name = _DAYS[day.weekday()]
    others = [other for other in _DAYS if other != name]
    return _named("calendar", f"The {_date(day)} {day.year} was a {{}}.", name, others, rng)


def _letters(level: str, rng: np.random.Generator) -> Claims:
    choices = words("common", {"easy": 5, "medium": 7, "hard": 8}[level])
    word = choices[int(rng.integers(len(choices)))]
    if level == "easy":
        others = [letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter != word[0]]
        return _named("letters", f"The word '{word}' begins with the letter {{}}.", word[0], others, rng)
    if level == "medium":
        vowels = sum(letter in "aeiou" for letter in word)
        return _numeric(
            "letters", f"The vowels a, e, i, o, u stand in '{word}' {{}} times in all.", vowels, (1, 2), rng
        )
    place = int(rng.integers(len(_ORDINALS)))
    letter = word[-1 - place]
    form = f"Counted from the end, the {_ORDINALS[place]} letter of '{word}' is {{}}."
    return _named("letters", form, letter, sorted(set("abcdefghijklmnopqrstuvwxyz") - {letter}), rng)


def is_prime(number: int) -> bool:
    """Whether a number has exactly two divisors."""
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def _between(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number of [low, high]."""
    return int(rng.integers(low, high + 1))


def _numeric(kind: str, form: str, right: int, steps: Iterable[int], rng: np.random.Generator) -> Claims:
    """Lies lie a step or two beside the truth, on either side, and are not negative."""
    near = {right + sign * times * step for step in steps for sign in (-1, 1) for times in (1, 2)}
    return _named(kind, form, str(right), [str(value) for value in sorted(near) if value >= 0 and value != right], rng)


def _named(kind: str, form: str, right: str, wrong: list[str], rng: np.random.Generator) -> Claims:
    lies = rng.choice(len(wrong), MOST_LIES, replace=False)
    return Claims(kind, form.format(right), tuple(form.format(wrong[int(lie)]) for lie in lies))


def _one_of_numbers(form: str, holds: Callable[[int], bool], low: int, high: int, rng: np.random.Generator) -> Claims:
    """All numbers are odd unless only even ones hold, so that the last digit gives little away."""
    odd = [number for number in range(low, high + 1) if number % 2]
    right = [number for number in odd if holds(number)] or [number + 1 for number in odd if holds(number + 1)]
    wrong = [str(number) for number in odd if not holds(number)]
    return _named("numbers", form, str(right[int(rng.integers(len(right)))]), wrong, rng)


def _date(day: datetime.date) -> str:
    return f"{day.day} {_MONTHS[day.month]}"
