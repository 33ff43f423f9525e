"""Questions of our own with known answers, made from a seed: nothing has to be downloaded for them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

PEOPLE = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gita", "Hugo")
THINGS = ("apples", "books", "coins", "eggs", "lamps", "pens", "shells", "stamps")
KINDS = ("blips", "dorns", "fenks", "gomas", "kesses", "lurns", "mivs", "wuffs")
ORDERS = (("taller", "tallest", "shortest"), ("older", "oldest", "youngest"), ("faster", "fastest", "slowest"))
YES, NO, OPEN = "yes", "no", "it cannot be known"

Item = dict[str, Any]


def arithmetic(count: int, seed: int) -> list[Item]:
    """Word problems of one to three steps: `question`, and a whole number of at least 0 as `answer`."""
    rng = np.random.default_rng((seed, 1))
    makers: Sequence[Callable[[np.random.Generator], Item]] = (_given_away, _boxes, _shared, _bought)
    return [{"id": index, **makers[index % len(makers)](rng)} for index in range(count)]


def _names(rng: np.random.Generator, of: Sequence[str], count: int) -> list[str]:
    return [str(name) for name in rng.permutation(of)[:count]]


def _number(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _given_away(rng: np.random.Generator) -> Item:
    (one, other), (thing,) = _names(rng, PEOPLE, 2), _names(rng, THINGS, 1)
    had, given, found = _number(rng, 20, 60), _number(rng, 2, 18), _number(rng, 2, 30)
    text = f"{one} has {had} {thing}. {one} gives {given} of them to {other} and then finds {found} more."
    return {"question": f"{text} How many {thing} does {one} have now?", "answer": str(had - given + found)}


def _boxes(rng: np.random.Generator) -> Item:
    (one,), (thing,) = _names(rng, PEOPLE, 1), _names(rng, THINGS, 1)
    boxes, each, loose = _number(rng, 3, 9), _number(rng, 4, 12), _number(rng, 1, 9)
    text = f"{one} has {boxes} boxes with {each} {thing} each, and {loose} more on a table."
    return {"question": f"{text} How many {thing} are there in all?", "answer": str(boxes * each + loose)}


def _shared(rng: np.random.Generator) -> Item:
    (one,), (thing,) = _names(rng, PEOPLE, 1), _names(rng, THINGS, 1)
    friends, each, left = _number(rng, 3, 8), _number(rng, 4, 12), _number(rng, 1, 9)
    text = (
        f"{one} has {friends * each + left} {thing}, keeps {left} and shares the rest evenly among {friends} friends."
    )
    return {"question": f"{text} How many {thing} does each friend get?", "answer": str(each)}


def _bought(rng: np.random.Generator) -> Item:
    (one,), (thing, other) = _names(rng, PEOPLE, 1), _names(rng, THINGS, 2)
    first, price, second, cost = (_number(rng, 2, 9) for _ in range(4))
    paid = first * price + second * cost
    change = _number(rng, 1, 20)
    text = f"{one} buys {first} {thing} for {price} coins each and {second} {other} for {cost} coins each."
    question = f"{text} {one} pays with {paid + change} coins. How many coins does {one} get back?"
    return {"question": question, "answer": str(change)}


def logic(count: int, seed: int) -> list[Item]:
    """Puzzles with one right choice: `question`, `choices`, and the place of the right one as `answer`."""
    rng = np.random.default_rng((seed, 2))
    return [{"id": index, **(_order(rng) if index % 2 else _kinds(rng))} for index in range(count)]


def _order(rng: np.random.Generator) -> Item:
    """A row of people from statements about neighbours, told in any order."""
    word, first, last = ORDERS[_number(rng, 0, len(ORDERS) - 1)]
    row = _names(rng, PEOPLE, 4)
    told = [f"{one} is {word} than {other}." for one, other in itertools.pairwise(row)]
    asked, right = (first, row[0]) if rng.integers(2) else (last, row[-1])
    choices = _names(rng, row, 4)
    question = f"{' '.join(_names(rng, told, len(told)))} Who is the {asked}?"
    return {"question": question, "choices": choices, "answer": choices.index(right)}


def _kinds(rng: np.random.Generator) -> Item:
    """What follows for the first kind and the last one, from two statements."""
    one, middle, last = _names(rng, KINDS, 3)
    second, right = (
        (f"All {middle} are {last}.", YES),
        (f"No {middle} are {last}.", NO),
        (f"Some {middle} are {last}.", OPEN),
    )[_number(rng, 0, 2)]
    question = f"All {one} are {middle}. {second} There are {one}. Are all {one} {last}?"
    choices = _names(rng, (YES, NO, OPEN), 3)
    return {"question": question, "choices": choices, "answer": choices.index(right)}


MAKERS: dict[str, Callable[[int, int], list[Item]]] = {"arithmetic": arithmetic, "logic": logic}


def null_scores(made: str, items: Sequence[Item]) -> dict[str, dict[str, float]]:
    """Null agent -> item -> what it scores there: always the same answer (the one that is right most often), nothing,
    the last number that the question names, any choice."""
    answers = [item["answer"] for item in items]
    usual = max(sorted(set(answers), key=str), key=answers.count)
    names = [str(item["id"]) for item in items]
    found = {
        "constant": [float(answer == usual) for answer in answers],
        "empty": [0.0 for _ in items],
    }
    if made == "arithmetic":
        found["copy"] = [float(_numbers(item["question"])[-1] == item["answer"]) for item in items]
    else:
        found["random"] = [1 / len(item["choices"]) for item in items]
    return {null: dict(zip(names, scores, strict=True)) for null, scores in found.items()}


def _numbers(text: str) -> list[str]:
    return [word for word in text.replace(".", " ").replace(",", " ").split() if word.isdigit()]
