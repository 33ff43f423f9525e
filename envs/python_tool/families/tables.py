"""Small tables, texts and dates."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from turnwise.envs.python_tool.puzzle import Puzzle, draw

_REGIONS = ("north", "south", "east", "west", "coast", "hills")
_GOODS = ("tea", "salt", "wool", "oil", "rye", "clay")
_NAMES = ("Ada", "Ben", "Cleo", "Dov", "Edda", "Finn", "Gus", "Hana", "Ivo", "Jun", "Kaya", "Lio", "Mara", "Nils")
_VOCABULARY = "red blue green fish bird tree stone river cloud lamp door cup shoe hat ring".split()  # noqa: SIM905
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def group_total(rng: np.random.Generator, level: int) -> Puzzle:
    """The group with the largest total."""
    rows = _sales(rng, 6 + 8 * level)
    totals: defaultdict[str, int] = defaultdict(int)
    for region, _, pieces, price in rows:
        totals[region] += pieces * price
    best = max(totals.values())
    answer = min(region for region, total in totals.items() if total == best)
    code = (
        f"rows = {rows}\nnames = sorted({{r[0] for r in rows}})\n"
        "print(max(names, key=lambda n: sum(p * c for r, _, p, c in rows if r == n)))"
    )
    question = (
        f"Sales as (region, good, pieces, price of a piece): {rows}. Which region has the largest sum of pieces "
        f"times price? Of equal ones give the first by the alphabet."
    )
    return Puzzle(question, answer, code)


def filter_sum(rng: np.random.Generator, level: int) -> Puzzle:
    """The sum of the rows that meet conditions."""
    rows = _sales(rng, 6 + 8 * level)
    good, least = rows[draw(rng, 0, len(rows) - 1)][1], draw(rng, 5, 25)
    total = sum(pieces * price for _, kind, pieces, price in rows if kind == good and pieces >= least)
    code = (
        f"total = 0\nfor region, good, pieces, price in {rows}:\n    if good == {good!r} and not pieces < {least}:\n"
        "        total = total + pieces * price\nprint(total)"
    )
    question = (
        f"Sales as (region, good, pieces, price of a piece): {rows}. What is the sum of pieces times price over "
        f"the sales of {good} with at least {least} pieces?"
    )
    return Puzzle(question, str(total), code)


def ranking(rng: np.random.Generator, level: int) -> Puzzle:
    """Who comes at a place of a table sorted by two columns."""
    people = [_NAMES[i] for i in rng.permutation(len(_NAMES))[: 5 + 4 * level]]
    rows = [(name, draw(rng, 10, 10 + 3 * len(people)), draw(rng, 20, 60)) for name in people]
    place = draw(rng, 2, len(rows) - 1)
    left = list(rows)
    for _ in range(place):
        first = left[0]
        for row in left[1:]:
            if (row[1], -row[2], first[0]) > (first[1], -first[2], row[0]):
                first = row
        left.remove(first)
    code = f"rows = {rows}\nprint(sorted(rows, key=lambda r: (-r[1], r[2], r[0]))[{place - 1}][0])"
    question = (
        f"Results as (name, points, seconds): {rows}. More points rank first, of equal points fewer seconds, "
        f"then the alphabet. Who takes place {place}?"
    )
    return Puzzle(question, first[0], code)


def join(rng: np.random.Generator, level: int) -> Puzzle:
    """Two tables joined by a key."""
    goods = [_GOODS[i] for i in rng.permutation(len(_GOODS))[: 3 + level]]
    prices = {good: draw(rng, 2, 40) for good in goods}
    orders = [
        (_NAMES[draw(rng, 0, 3 + level)], goods[draw(rng, 0, len(goods) - 1)], draw(rng, 1, 12))
        for _ in range(5 + 5 * level)
    ]
    customer = orders[draw(rng, 0, len(orders) - 1)][0]
    total = 0
    for name, good, count in orders:
        total += prices[good] * count if name == customer else 0
    code = f"prices, orders = {prices}, {orders}\nprint(sum(prices[g] * n for c, g, n in orders if c == {customer!r}))"
    question = (
        f"Prices: {prices}. Orders as (customer, good, count): {orders}. What does {customer} have to pay in all?"
    )
    return Puzzle(question, str(total), code)


def word_count(rng: np.random.Generator, level: int) -> Puzzle:
    """The most frequent word of a text."""
    words = [_VOCABULARY[i] for i in rng.integers(0, 5 + 5 * level, size=12 + 12 * level)]
    counts = {word: sum(other == word for other in words) for word in words}
    most = max(counts.values())
    answer = sorted(word for word in counts if counts[word] == most)[0]
    text = " ".join(words)
    code = f"from collections import Counter\nc = Counter({text!r}.split())\nprint(min(c, key=lambda w: (-c[w], w)))"
    question = (
        f'Which word is the most frequent one in "{text}"? Of equally frequent ones give the first by the alphabet.'
    )
    return Puzzle(question, answer, code)


def longest_run(rng: np.random.Generator, level: int) -> Puzzle:
    """The longest substring without a repeated letter."""
    text = "".join("abcdefgh"[i] for i in rng.integers(0, 4 + 2 * level, size=12 + 14 * level))
    best = max(
        end - start
        for start in range(len(text))
        for end in range(start + 1, len(text) + 1)
        if len(set(text[start:end])) == end - start
    )
    code = (
        f"s, seen, start, best = {text!r}, {{}}, 0, 0\nfor i, c in enumerate(s):\n"
        "    start = max(start, seen.get(c, -1) + 1)\n    seen[c] = i\n    best = max(best, i - start + 1)\nprint(best)"
    )
    return Puzzle(f'How long is the longest stretch of "{text}" in which no letter comes twice?', str(best), code)


def weekday(rng: np.random.Generator, level: int) -> Puzzle:
    """The day of the week, by Zeller's rule."""
    year, month, day = draw(rng, 1900 - 100 * level, 2100 + 100 * level), draw(rng, 1, 12), draw(rng, 1, 28)
    shifted, y = (month, year) if month > 2 else (month + 12, year - 1)
    index = (day + 13 * (shifted + 1) // 5 + y + y // 4 - y // 100 + y // 400 + 5) % 7
    code = f"import datetime\nprint(datetime.date({year}, {month}, {day}).strftime('%A'))"
    question = f"Which day of the week is {year}-{month:02}-{day:02} (year-month-day, Gregorian calendar)?"
    return Puzzle(question, _DAYS[index], code)


def days_between(rng: np.random.Generator, level: int) -> Puzzle:
    """The number of days between two dates."""
    first, last = sorted(
        (draw(rng, 2000 - 50 * level, 2030 + 50 * level), draw(rng, 1, 12), draw(rng, 1, 28)) for _ in range(2)
    )
    code = f"import datetime\nprint((datetime.date(*{last}) - datetime.date(*{first})).days)"
    question = (
        f"How many days lie between {_iso(first)} and {_iso(last)} (year-month-day), if the first day is not "
        f"counted and the last one is?"
    )
    return Puzzle(question, str(_day_number(*last) - _day_number(*first)), code)


def _sales(rng: np.random.Generator, count: int) -> list[tuple[str, str, int, int]]:
    return [
        (_REGIONS[draw(rng, 0, 5)], _GOODS[draw(rng, 0, 5)], draw(rng, 1, 40), draw(rng, 2, 30)) for _ in range(count)
    ]


def _day_number(year: int, month: int, day: int) -> int:
    """Days since a day long ago, the year taken to begin in March."""
    y, m = (year, month - 3) if month > 2 else (year - 1, month + 9)
    return 365 * y + y // 4 - y // 100 + y // 400 + (153 * m + 2) // 5 + day


def _iso(date: tuple[int, int, int]) -> str:
    return f"{date[0]}-{date[1]:02}-{date[2]:02}"
