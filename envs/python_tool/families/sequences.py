"""Sequences, linear algebra over the integers, polynomials."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from turnwise.envs.python_tool.puzzle import Puzzle, draw, draws


def recurrence(rng: np.random.Generator, level: int) -> Puzzle:
    """A term of a linear recurrence modulo a number."""
    a, b, x, y = draws(rng, 4, 1, 9)
    index, modulus = draw(rng, 10, (30, 300, 3000)[level]), draw(rng, 50, 10 ** (level + 2))
    power, square, left = np.eye(2, dtype=object), np.array([[a, b], [1, 0]], dtype=object), index - 1
    while left:
        power = power @ square % modulus if left & 1 else power
        square, left = square @ square % modulus, left >> 1
    value = int(power[0, 0] * y + power[0, 1] * x) % modulus
    code = f"p, q = {x}, {y}\nfor _ in range({index} - 1):\n    p, q = q, {a} * q + {b} * p\nprint(q % {modulus})"
    question = (
        f"A sequence begins with s(0) = {x} and s(1) = {y}, and goes on by s(n) = {a} s(n-1) + {b} s(n-2). "
        f"What is s({index}) modulo {modulus}?"
    )
    return Puzzle(question, str(value), code)


def collatz(rng: np.random.Generator, level: int) -> Puzzle:
    """The longest Collatz path of a range."""
    low = draw(rng, 2, 10 ** (level + 2))
    high = low + draw(rng, 10, 30 * (level + 1))
    best, longest = 0, -1
    for start in range(low, high + 1):
        steps, number = 0, start
        while number != 1:
            twos = (number & -number).bit_length() - 1
            steps, number = steps + twos, number >> twos
            if number != 1:
                steps, number = steps + 1, 3 * number + 1
        if steps > longest:
            best, longest = start, steps
    code = (
        "def steps(n):\n    k = 0\n    while n != 1:\n"
        "        n, k = (n // 2 if n % 2 == 0 else 3 * n + 1), k + 1\n    return k\n"
        f"print(max(range({low}, {high} + 1), key=lambda n: (steps(n), -n)))"
    )
    question = (
        "One halves an even number, and triples an odd one and adds 1, until 1 is reached. Which starting number from "
        f"{low} to {high}, both included, takes the most steps? If several do, give the smallest."
    )
    return Puzzle(question, str(best), code)


def josephus(rng: np.random.Generator, level: int) -> Puzzle:
    """Who is left of a counting-out circle."""
    people, step = draw(rng, 6, (12, 60, 400)[level]), draw(rng, 2, 5 + level)
    survivor = 0
    for size in range(2, people + 1):
        survivor = (survivor + step) % size
    code = (
        f"circle, at = list(range(1, {people} + 1)), 0\nwhile len(circle) > 1:\n"
        f"    at = (at + {step} - 1) % len(circle)\n    circle.pop(at)\nprint(circle[0])"
    )
    question = (
        f"{people} people stand in a circle, numbered 1 to {people}. Counting starts at 1, and every {step}th person "
        "still standing leaves; after each, the count goes on with the next. Who is left at the end?"
    )
    return Puzzle(question, str(survivor + 1), code)


def linear_system(rng: np.random.Generator, level: int) -> Puzzle:
    """A system of linear equations with an integer solution."""
    size = (2, 2, 3)[level]
    solution = draws(rng, size, -9 - 20 * level, 9 + 20 * level)
    while True:
        rows = [draws(rng, size, -9, 9) for _ in range(size)]
        if _determinant(rows) != 0:
            break
    right = [sum(a * x for a, x in zip(row, solution, strict=True)) for row in rows]
    names = "xyz"[:size]
    equations = "; ".join(
        " + ".join(f"({a}) {name}" for a, name in zip(row, names, strict=True)) + f" = {total}"
        for row, total in zip(rows, right, strict=True)
    )
    code = (
        f"from fractions import Fraction\nm = [[Fraction(v) for v in row] for row in "
        f"{[[*row, total] for row, total in zip(rows, right, strict=True)]}]\nn = {size}\nfor i in range(n):\n"
        "    p = next(r for r in range(i, n) if m[r][i] != 0)\n    m[i], m[p] = m[p], m[i]\n"
        "    m[i] = [v / m[i][i] for v in m[i]]\n    for r in range(n):\n        if r != i:\n"
        "            m[r] = [a - m[r][i] * b for a, b in zip(m[r], m[i])]\nprint([int(row[n]) for row in m])"
    )
    return Puzzle(f"Solve for [{', '.join(names)}]: {equations}.", str(solution), code)


def determinant(rng: np.random.Generator, level: int) -> Puzzle:
    """The determinant of an integer matrix."""
    rows = [draws(rng, level + 2, -9, 9) for _ in range(level + 2)]
    code = (
        "def det(m):\n    if not m:\n        return 1\n"
        "    return sum((-1) ** j * m[0][j] * det([r[:j] + r[j + 1:] for r in m[1:]]) for j in range(len(m)))\n"
        f"print(det({rows}))"
    )
    return Puzzle(f"What is the determinant of the matrix {rows}, given row by row?", str(_determinant(rows)), code)


def polynomial(rng: np.random.Generator, level: int) -> Puzzle:
    """A coefficient of a product of factors."""
    factors = [(draw(rng, 1, 5), draw(rng, -9, 9)) for _ in range(level + 3)]
    degree = draw(rng, 1, len(factors) - 1)
    product = np.ones(1, dtype=object)
    for slope, constant in factors:
        product = np.convolve(product, np.array([constant, slope], dtype=object))
    code = (
        f"p = [1]\nfor a, b in {factors}:\n    p = [b * (p[i] if i < len(p) else 0) + (a * p[i - 1] if i else 0) "
        f"for i in range(len(p) + 1)]\nprint(p[{degree}])"
    )
    shown = " ".join(f"({slope} x + ({constant}))" for slope, constant in factors)
    return Puzzle(
        f"What is the coefficient of x to the power of {degree} in the product {shown}?", str(product[degree]), code
    )


def _determinant(rows: list[list[int]]) -> int:
    """By Gaussian elimination over the fractions."""
    matrix, value = [[Fraction(entry) for entry in row] for row in rows], Fraction(1)
    for i in range(len(matrix)):
        pivot = next((r for r in range(i, len(matrix)) if matrix[r][i]), None)
        if pivot is None:
            return 0
        if pivot != i:
            matrix[i], matrix[pivot], value = matrix[pivot], matrix[i], -value
        value *= matrix[i][i]
        for r in range(i + 1, len(matrix)):
            ratio = matrix[r][i] / matrix[i][i]
            matrix[r] = [a - ratio * b for a, b in zip(matrix[r], matrix[i], strict=True)]
    return int(value)
