"""Number theory."""

from __future__ import annotations

import math

import numpy as np

from turnwise.envs.python_tool.puzzle import Puzzle, draw, draws


def divisible(rng: np.random.Generator, level: int) -> Puzzle:
    """How many numbers of a range are divisible, by inclusion and exclusion."""
    low, high = draw(rng, 1, 500), draw(rng, 1000, 10 ** (level + 4))
    p, q, r = (int(number) for number in rng.permutation([2, 3, 5, 7, 11, 13])[:3])

    def multiples(of: int) -> int:
        return high // of - (low - 1) // of

    count = multiples(p) + multiples(q) - multiples(p * q)
    count -= multiples(p * r) + multiples(q * r) - multiples(p * q * r)
    question = f"How many integers from {low} to {high}, both included, are divisible by {p} or by {q}, but not by {r}?"
    code = f"print(sum((n % {p} == 0 or n % {q} == 0) and n % {r} != 0 for n in range({low}, {high} + 1)))"
    return Puzzle(question, str(count), code)


def gcd_lcm(rng: np.random.Generator, level: int) -> Puzzle:
    """Greatest common divisor and least common multiple."""
    factor = draw(rng, 2, 12)
    numbers = [factor * number for number in draws(rng, level + 2, 2, 10 ** (level + 1))]
    common, multiple = numbers[0], numbers[0]
    for number in numbers[1:]:
        a, b = common, number
        while b:
            a, b = b, a % b
        common = a
        multiple = multiple * number // math.gcd(multiple, number)
    question = f"Give the greatest common divisor and the least common multiple of {_listed(numbers)}, in this order."
    return Puzzle(
        question, f"[{common}, {multiple}]", f"import math\nprint([math.gcd(*{numbers}), math.lcm(*{numbers})])"
    )


def primes_between(rng: np.random.Generator, level: int) -> Puzzle:
    """How many primes lie in a range."""
    low = draw(rng, 10, 10 ** (level + 2))
    high = low + draw(rng, 50, (150, 800, 4000)[level])
    sieve = np.ones(high + 1, dtype=bool)
    sieve[:2] = False
    for number in range(2, math.isqrt(high) + 1):
        if sieve[number]:
            sieve[number * number :: number] = False
    code = (
        "def prime(n):\n    return n > 1 and all(n % d for d in range(2, int(n ** 0.5) + 1))\n"
        f"print(sum(map(prime, range({low}, {high} + 1))))"
    )
    question = f"How many prime numbers are there from {low} to {high}, both included?"
    return Puzzle(question, str(int(sieve[low:].sum())), code)


def remainders(rng: np.random.Generator, level: int) -> Puzzle:
    """The Chinese remainder theorem."""
    moduli = [int(prime) for prime in rng.permutation([3, 5, 7, 11, 13, 17, 19])[: level + 2]]
    value = draw(rng, 1, math.prod(moduli) - 1)
    answer, step = 0, 1
    for modulus in moduli:
        while answer % modulus != value % modulus:
            answer += step
        step *= modulus
    conditions = " and ".join(f"{value % modulus} when divided by {modulus}" for modulus in moduli)
    pairs = [(modulus, value % modulus) for modulus in moduli]
    code = f"print(next(n for n in range({math.prod(moduli)}) if all(n % m == r for m, r in {pairs})))"
    question = f"What is the smallest non-negative integer that leaves the remainders {conditions}?"
    return Puzzle(question, str(answer), code)


def divisors(rng: np.random.Generator, level: int) -> Puzzle:
    """The sum of the divisors, from the prime factors."""
    number = draw(rng, 20, 10 ** (level + 2))
    total, left, prime = 1, number, 2
    while prime * prime <= left:
        power = 1
        while left % prime == 0:
            left, power = left // prime, power * prime
        total, prime = total * (power * prime - 1) // (prime - 1), prime + 1
    total *= left + 1 if left > 1 else 1
    question = f"What is the sum of all positive divisors of {number}, 1 and the number itself included?"
    return Puzzle(question, str(total), f"print(sum(d for d in range(1, {number} + 1) if {number} % d == 0))")


def totient(rng: np.random.Generator, level: int) -> Puzzle:
    """Euler's totient, from the prime factors."""
    number = draw(rng, 20, 10 ** (level + 2))
    count, left, prime = number, number, 2
    while left > 1:
        if left % prime == 0:
            count -= count // prime
            while left % prime == 0:
                left //= prime
        prime += 1
    question = f"How many integers from 1 to {number} have no divisor in common with {number} but 1?"
    code = f"import math\nprint(sum(math.gcd(n, {number}) == 1 for n in range(1, {number} + 1)))"
    return Puzzle(question, str(count), code)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"
