"""What happens to a seat whose reply is no legal action: `Forfeit`, `Retry`, `RandomLegal`, `Penalty`, `NoOp`.

These records only say what is wanted; `referee.Referee` carries it out.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

_Number = TypeVar("_Number", int, float)


class InvalidPolicyError(ValueError):
    """No invalid-action policy can be made from what was given."""


def _require_policy(policy: object) -> None:
    if not isinstance(policy, InvalidPolicy):
        raise InvalidPolicyError(f"`then` is an invalid-action policy record: got {policy!r}")


@dataclass(frozen=True, slots=True)
class Forfeit:
    """The game ends and the offender has lost, so that illegal play never pays."""

    offender: float | None = None
    """Return that the offender ends with, in task units. None: the lowest of the game's `utility_bounds`."""
    others: float | None = None
    """Return that every other seat ends with. None: minus the offender's if zero-sum for two, else what it has."""

    def __post_init__(self) -> None:
        for name, value in (("offender", self.offender), ("others", self.others)):
            if value is not None and not math.isfinite(value):
                raise InvalidPolicyError(f"a forfeit's {name} is a finite return or None: got {value}")


@dataclass(frozen=True, slots=True)
class RandomLegal:
    """A legal action, drawn uniformly, is played instead."""


@dataclass(frozen=True, slots=True)
class NoOp:
    """Nothing happens: the same seat is asked again, and again, until its reply is legal or `max_turns` is reached."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The same seat is asked again, up to `attempts` times in a row; then `then`."""

    attempts: int = 1
    then: InvalidPolicy = field(default_factory=Forfeit)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise InvalidPolicyError(f"retry needs at least 1 attempt: got {self.attempts}")
        _require_policy(self.then)


@dataclass(frozen=True, slots=True)
class Penalty:
    """The offender loses `amount` of reward (in task units; beyond `utility_bounds` if need be), and then `then`."""

    amount: float
    then: InvalidPolicy = field(default_factory=NoOp)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.amount) and self.amount >= 0):
            raise InvalidPolicyError(f"a penalty is a finite amount of at least 0: got {self.amount}")
        _require_policy(self.then)


InvalidPolicy = Forfeit | Retry | RandomLegal | Penalty | NoOp

SPIRAL = Forfeit(offender=-1.5, others=0.5)
"""The returns of the SPIRAL paper's runs (arXiv:2506.24119)."""

_SPECS = ("forfeit", "retry(2)", "random_legal", "penalty(0.1)", "noop", "spiral")
_PLAIN: dict[str, InvalidPolicy] = {
    "forfeit": Forfeit(),
    "retry": Retry(),
    "random_legal": RandomLegal(),
    "noop": NoOp(),
    "spiral": SPIRAL,
}
_CALL = re.compile(r"(\w+)\s*\(\s*([^\s(),]+)\s*\)")


def invalid_policy(spec: object) -> InvalidPolicy:
    """The policy that a text such as `retry(2)` names; a policy comes back as it is. Raises InvalidPolicyError."""
    if isinstance(spec, InvalidPolicy):
        return spec
    if not isinstance(spec, str):
        raise InvalidPolicyError(f"an invalid-action policy is a policy record or one of {_known()}: got {spec!r}")
    name = spec.strip()
    if name in _PLAIN:
        return _PLAIN[name]
    call = _CALL.fullmatch(name)
    if call and call[1] == "retry":
        return Retry(_number(int, call[2], spec, "a whole number of attempts"))
    if call and call[1] == "penalty":
        return Penalty(_number(float, call[2], spec, "an amount of reward"))
    raise InvalidPolicyError(f"no invalid-action policy is called {spec!r}; {_hint(name)}")


def _number(kind: Callable[[str], _Number], text: str, spec: str, needed: str) -> _Number:
    try:
        return kind(text)
    except ValueError:
        raise InvalidPolicyError(f"{spec!r} needs {needed} in its brackets: got {text!r}") from None


def _hint(name: str) -> str:
    stems = {known.partition("(")[0]: known for known in _SPECS}
    near = difflib.get_close_matches(name.partition("(")[0].lower(), stems, n=1)
    return f"did you mean {stems[near[0]]!r}?" if near else f"known: {_known()}"


def _known() -> str:
    return ", ".join(_SPECS)
