"""Are two answers the same? Exact numbers, lists and words here; expressions by math-verify, in the sandbox."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from functools import lru_cache

from turnwise.envs.requirements import require
from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.sandbox import Sandbox

NEEDED = (("math_verify", "turnwise[math]"),)
_NUMBER = re.compile(r"[+-]?\d{1,1000}(?:/\d{1,1000}|\.\d{1,1000})?")
_MATH_PACKAGES = ("math_verify", "sympy", "mpmath", "latex2sympy2_extended", "antlr4")
_MATH_LIMITS = Limits(wall_s=8.0, cpu_s=8.0, memory_mb=1024)
_LONGEST = 2000  # characters of an answer that are looked at
_COMPARE = """
from math_verify import parse, verify
gold, answer = {pair}
parsed = [parse(text if "$" in text or "\\\\boxed" in text else "$" + text + "$") for text in (gold, answer)]
print("same" if verify(*parsed) else "different")
"""


def plain_value(text: str) -> Fraction | tuple[Fraction, ...] | str:
    """A number, a list of numbers, or else the words: what two plain answers are compared by.

    `1,234` is a number, `[1, 2]` a list; a `$`, a final full stop, case and blanks do not matter.
    """
    text = text[:_LONGEST].strip().strip("$").strip().rstrip(".").strip()
    if text.startswith("[") and text.endswith("]"):
        parts = [_number(part) for part in text[1:-1].split(",")]
        if all(part is not None for part in parts):
            return tuple(part for part in parts if part is not None)
    number = _number(re.sub(r"(?<=\d),(?=\d{3}\b)", "", text))
    return number if number is not None else " ".join(text.casefold().split())


def same_plain(truth: str, answer: str) -> bool:
    """Whether the plain values are equal: exact, no tolerance."""
    return plain_value(truth) == plain_value(answer)


def same_mathematics(truth: str, answer: str) -> bool:
    r"""Whether two answers are equal as mathematics: `\frac{1}{2}` and `0.5`, `x+1` and `1+x`.

    Plain answers are compared here, all others by math-verify in the sandbox, since what a model wrote may be made to
    run for ever: an answer that takes too long, or too much memory, is not the same. Raises SandboxUnavailable.
    """
    plain = plain_value(truth), plain_value(answer)
    if plain[0] == plain[1]:
        return True
    if not any(isinstance(value, str) for value in plain):
        return False
    result = _mathematician().run(_COMPARE.format(pair=json.dumps([truth[:_LONGEST], answer[:_LONGEST]])))
    return result.ok and result.stdout.split()[-1:] == ["same"]


@lru_cache(maxsize=1)
def _mathematician() -> Sandbox:
    require("the comparison of expressions", NEEDED)
    return Sandbox(_MATH_LIMITS, packages=_MATH_PACKAGES)


def _number(text: str) -> Fraction | None:
    text = "".join(text.split())
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return Fraction(text)
    except ZeroDivisionError:
        return None
