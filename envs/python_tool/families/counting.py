"""Combinatorics and probability."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import comb, factorial, prod

import numpy as np

from turnwise.envs.python_tool.puzzle import Puzzle, draw

_WORDS = (
    "banana",
    "letter",
    "pepper",
    "balloon",
    "success",
    "coffee",
    "tomorrow",
    "bookkeeper",
    "cappuccino",
    "referee",
)


def grid_paths(rng: np.random.Generator, level: int) -> Puzzle:
    """Paths through a grid with closed cells."""
    rows, columns = draw(rng, 3, 4 + 2 * level), draw(rng, 3, 4 + 2 * level)
    inner = [(r, c) for r in range(rows) for c in range(columns) if 0 < r + c < rows + columns - 2]
    closed = sorted(inner[i] for i in rng.permutation(len(inner))[: level + 1])
    ways = np.zeros((rows + 1, columns + 1), dtype=object)
    ways[0, 1] = 1
    for r in range(rows):
        for c in range(columns):
            ways[r + 1, c + 1] = 0 if (r, c) in closed else ways[r, c + 1] + ways[r + 1, c]
    code = (
        "from functools import cache\n@cache\ndef ways(r, c):\n"
        f"    if r >= {rows} or c >= {columns} or (r, c) in {closed}:\n        return 0\n"
        f"    return 1 if (r, c) == ({rows - 1}, {columns - 1}) else ways(r + 1, c) + ways(r, c + 1)\nprint(ways(0, 0))"
    )
    question = (
        f"In a grid of {rows} rows and {columns} columns one walks from the top left cell to the bottom right "
        f"one, each "
        f"step right or down. The cells {closed}, as (row, column) counted from 0, are closed. How many ways are there?"
    )
    return Puzzle(question, str(ways[rows, columns]), code)


def arrangements(rng: np.random.Generator, level: int) -> Puzzle:
    """Different orders of the letters of a word."""
    words = sorted(_WORDS, key=lambda word: (len(word), word))[3 * level : 3 * level + 4]
    word = words[draw(rng, 0, len(words) - 1)]
    count = factorial(len(word)) // prod(factorial(n) for n in Counter(word).values())
    code = (
        "from collections import Counter\nfrom functools import cache\n@cache\ndef count(left):\n"
        "    if not left:\n        return 1\n    return sum(count(left.replace(c, '', 1)) for c in set(left))\n"
        f"print(count(''.join(sorted({word!r}))))"
    )
    return Puzzle(f"In how many different orders can the letters of the word {word} be written?", str(count), code)


def change(rng: np.random.Generator, level: int) -> Puzzle:
    """Ways to pay an amount."""
    coins = sorted(int(coin) for coin in rng.permutation([1, 2, 3, 5, 7, 10, 20, 25])[: level + 3])
    amount = draw(rng, 15, (40, 120, 400)[level])
    ways = [1] + [0] * amount
    for coin in coins:
        for total in range(coin, amount + 1):
            ways[total] += ways[total - coin]
    code = (
        "from functools import cache\nimport sys\nsys.setrecursionlimit(10000)\n"
        f"coins = {coins}\n@cache\ndef ways(left, kinds):\n    if left == 0:\n        return 1\n"
        "    if left < 0 or kinds == 0:\n        return 0\n"
        f"    return ways(left, kinds - 1) + ways(left - coins[kinds - 1], kinds)\nprint(ways({amount}, {len(coins)}))"
    )
    question = f"In how many ways can {amount} be paid with coins of {coins}? The order of the coins does not matter."
    return Puzzle(question, str(ways[amount]), code)


def fixed_points(rng: np.random.Generator, level: int) -> Puzzle:
    """Permutations with some fixed points: rencontres numbers."""
    size = draw(rng, 4, 5 + level)
    fixed = draw(rng, 0, size - 2)
    derangements = [1, 0]
    while len(derangements) <= size:
        derangements.append((len(derangements) - 1) * (derangements[-1] + derangements[-2]))
    code = (
        "from itertools import permutations\n"
        f"print(sum(sum(i == p for i, p in enumerate(order)) == {fixed} for order in permutations(range({size}))))"
    )
    question = (
        f"{size} letters are put into {size} addressed envelopes, one into each. In how many ways are exactly "
        f"{fixed} of them in the right one?"
    )
    return Puzzle(question, str(comb(size, fixed) * derangements[size - fixed]), code)


def subset_sums(rng: np.random.Generator, level: int) -> Puzzle:
    """Subsets whose sum is divisible."""
    size, modulus = draw(rng, 6, 8 + 3 * level), draw(rng, 3, 7)
    counts = [1] + [0] * (modulus - 1)
    for number in range(1, size + 1):
        counts = [counts[r] + counts[(r - number) % modulus] for r in range(modulus)]
    code = (
        f"from itertools import combinations\nn = range(1, {size} + 1)\n"
        f"print(sum(sum(c) % {modulus} == 0 for k in range({size} + 1) for c in combinations(n, k)))"
    )
    question = (
        f"How many subsets of the numbers from 1 to {size}, the empty one included, have a sum divisible by {modulus}?"
    )
    return Puzzle(question, str(counts[0]), code)


def dice_sum(rng: np.random.Generator, level: int) -> Puzzle:
    """The probability of a sum of dice."""
    dice, sides = draw(rng, 2, 2 + level), draw(rng, 4, 8)
    target = draw(rng, dice + 1, dice * sides - 1)
    ways = np.ones(1, dtype=object)
    for _ in range(dice):
        ways = np.convolve(ways, np.array([0] + [1] * sides, dtype=object))
    code = (
        "from fractions import Fraction\nfrom itertools import product\n"
        f"rolls = list(product(range(1, {sides} + 1), repeat={dice}))\n"
        f"print(Fraction(sum(sum(r) == {target} for r in rolls), len(rolls)))"
    )
    question = (
        f"{dice} fair dice with {sides} sides each (1 to {sides}) are thrown. How likely is a sum of exactly "
        f"{target}? Give a fraction."
    )
    return Puzzle(question, str(Fraction(int(ways[target]), sides**dice)), code)


def urn(rng: np.random.Generator, level: int) -> Puzzle:
    """Draws without replacement: the hypergeometric distribution."""
    red, blue = draw(rng, 3, 5 + 2 * level), draw(rng, 3, 5 + 2 * level)
    taken = draw(rng, 2, 3 + level)
    wanted = draw(rng, max(0, taken - blue), min(red, taken))
    chance = Fraction(comb(red, wanted) * comb(blue, taken - wanted), comb(red + blue, taken))
    code = (
        "from fractions import Fraction\nfrom itertools import combinations\n"
        f"hands = list(combinations('r' * {red} + 'b' * {blue}, {taken}))\n"
        f"print(Fraction(sum(h.count('r') == {wanted} for h in hands), len(hands)))"
    )
    question = (
        f"An urn holds {red} red and {blue} blue balls. {taken} are drawn without putting any back. How likely "
        f"are exactly {wanted} red ones? Give a fraction."
    )
    return Puzzle(question, str(chance), code)


def largest_die(rng: np.random.Generator, level: int) -> Puzzle:
    """The expected largest of some dice."""
    dice, sides = draw(rng, 2, 2 + level), draw(rng, 4, 8)
    tails = (1 - Fraction(face - 1, sides) ** dice for face in range(1, sides + 1))
    code = (
        "from fractions import Fraction\nfrom itertools import product\n"
        f"rolls = list(product(range(1, {sides} + 1), repeat={dice}))\nprint(Fraction(sum(map(max, rolls)), "
        f"len(rolls)))"
    )
    question = (
        f"{dice} fair dice with {sides} sides each (1 to {sides}) are thrown. What is the expected value of the "
        f"largest? Give a fraction."
    )
    return Puzzle(question, str(sum(tails, Fraction(0))), code)
