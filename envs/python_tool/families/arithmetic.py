"""Sums, powers, fractions, bases, digits."""

from __future__ import annotations

from fractions import Fraction
from math import factorial

import numpy as np

from turnwise.envs.python_tool.puzzle import Puzzle, draw, draws

_DIGITS = "0123456789abcdef"


def expression(rng: np.random.Generator, level: int) -> Puzzle:
    """A nested expression of integers."""
    text, value = _nested(rng, level + 2)
    return Puzzle(f"What is the value of {text}?", str(value), f"print({text})")


def power_remainder(rng: np.random.Generator, level: int) -> Puzzle:
    """A power modulo a number."""
    base, modulus = draw(rng, 2, 10 ** (level + 2)), draw(rng, 3, 10 ** (level + 2))
    exponent = draw(rng, 5, 10 ** (2 * level + 2))
    value, square, left = 1, base % modulus, exponent
    while left:
        value = value * square % modulus if left & 1 else value
        square, left = square * square % modulus, left >> 1
    question = f"What is the remainder of {base} to the power of {exponent} when it is divided by {modulus}?"
    return Puzzle(question, str(value % modulus), f"print(pow({base}, {exponent}, {modulus}))")


def fraction_sum(rng: np.random.Generator, level: int) -> Puzzle:
    """Fractions added and subtracted."""
    parts = [Fraction(draw(rng, 1, 20), draw(rng, 2, 20)) * (1, -1)[draw(rng, 0, 1)] for _ in range(level + 2)]
    text = " ".join(f"{'-' if part < 0 else '+'} {abs(part)}" for part in parts)
    bottom = int(np.lcm.reduce([part.denominator for part in parts]))
    top = sum(part.numerator * bottom // part.denominator for part in parts)
    code = f"from fractions import Fraction\nprint(sum(map(Fraction, {[str(part) for part in parts]})))"
    return Puzzle(f"What is 0 {text}? Give an integer or a fraction in lowest terms.", str(Fraction(top, bottom)), code)


def base_conversion(rng: np.random.Generator, level: int) -> Puzzle:
    """A number from one base to another."""
    source, target = (int(base) for base in rng.permutation(np.arange(2, 17))[:2])
    value = draw(rng, 10, 10 ** (2 * level + 3))
    digits, written = _in_base(value, source), _in_base(value, target)
    code = (
        f"n, out = int({digits!r}, {source}), ''\nwhile n:\n    out = {_DIGITS!r}[n % {target}] + out\n"
        f"    n //= {target}\nprint(out)"
    )
    return Puzzle(f"Write the number {digits} (base {source}) in base {target}, in small letters.", written, code)


def digit_sum(rng: np.random.Generator, level: int) -> Puzzle:
    """The digits of a factorial."""
    number = draw(rng, 8, (15, 60, 300)[level])
    value, total = factorial(number), 0
    while value:
        value, digit = divmod(value, 10)
        total += digit
    code = f"import math\nprint(sum(map(int, str(math.factorial({number})))))"
    return Puzzle(f"What is the sum of the decimal digits of {number}! (the factorial of {number})?", str(total), code)


def trailing_zeros(rng: np.random.Generator, level: int) -> Puzzle:
    """Zeros at the end of a factorial, by Legendre's formula."""
    number = draw(rng, 10, (60, 400, 2000)[level])
    zeros, power = 0, 5
    while power <= number:
        zeros, power = zeros + number // power, power * 5
    code = f"import math\nn, z = math.factorial({number}), 0\nwhile n % 10 == 0:\n    n, z = n // 10, z + 1\nprint(z)"
    return Puzzle(f"With how many zeros does {number}! end in decimal?", str(zeros), code)


def mixture(rng: np.random.Generator, level: int) -> Puzzle:
    """A weighted mean."""
    weights, values = draws(rng, level + 2, 1, 20), draws(rng, level + 2, 1, 90)
    lots = ", ".join(f"{weight} kg at {value} crowns" for weight, value in zip(weights, values, strict=True))
    mean = sum(
        (Fraction(weight * value, sum(weights)) for weight, value in zip(weights, values, strict=True)), Fraction(0)
    )
    code = (
        f"from fractions import Fraction\nw, v = {weights}, {values}\n"
        "print(Fraction(sum(a * b for a, b in zip(w, v)), sum(w)))"
    )
    question = f"A merchant mixes tea: {lots} a kg. What does a kg of the mixture cost? Give an exact fraction."
    return Puzzle(question, str(mean), code)


def _nested(rng: np.random.Generator, depth: int) -> tuple[str, int]:
    if depth == 0:
        number = draw(rng, 2, 99)
        return str(number), number
    (left, a), (right, b) = _nested(rng, depth - 1), _nested(rng, depth - 1)
    sign = "+-*"[draw(rng, 0, 2)]
    return f"({left} {sign} {right})", {"+": a + b, "-": a - b, "*": a * b}[sign]


def _in_base(value: int, base: int) -> str:
    digits = ""
    while value:
        value, digit = divmod(value, base)
        digits = _DIGITS[digit] + digits
    return digits
