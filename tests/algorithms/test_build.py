"""Records from plain values: types, nesting, and names in full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from turnwise.algorithms.build import SettingsError, build, nearest


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    name: str | None = None

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise ValueError(f"rate is at least 0: got {self.rate}")


@dataclass(frozen=True)
class Outer:
    count: int
    flag: bool = False
    words: tuple[str, ...] = ()
    inner: Inner = Inner()
    other: Inner | None = None
    free: Mapping[str, Any] = field(default_factory=dict)


def test_values_of_the_right_types() -> None:
    values = {"count": 3, "flag": True, "words": ["a", "b"], "inner": {"rate": 1}, "other": None, "free": {"x": [1]}}
    built = build(Outer, values, "")
    assert built == Outer(3, True, ("a", "b"), Inner(1.0), None, {"x": [1]})
    assert type(built.inner.rate) is float
    assert build(Outer, {"count": 0, "other": {"name": "n"}}, "").other == Inner(name="n")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 1, "flagg": True}, "there is no setting run.flagg; did you mean 'flag'?"),
        ({"count": 1, "inner": {"rat": 1}}, "there is no setting run.inner.rat; did you mean 'rate'?"),
        ({"count": 1, "inner": {"zzz": 1}}, "there is no setting run.inner.zzz; known: name, rate"),
        ({"count": 1.0}, "run.count is of type int: got 1.0"),
        ({"count": True}, "run.count is of type int: got True"),
        ({"count": "1"}, "run.count is of type int: got '1'"),
        ({"count": None}, "run.count is of type int: got None"),
        ({"count": 1, "flag": 1}, "run.flag is of type bool: got 1"),
        ({"count": 1, "words": "ab"}, "run.words is of type tuple: got 'ab'"),
        ({"count": 1, "words": ["a", 2]}, "run.words[1] is of type str: got 2"),
        ({"count": 1, "inner": {"rate": "fast"}}, "run.inner.rate is of type float: got 'fast'"),
        ({"count": 1, "inner": {"rate": False}}, "run.inner.rate is of type float: got False"),
        ({"count": 1, "inner": {"name": 3}}, "run.inner.name is of type str: got 3"),
        ({"count": 1, "inner": {"rate": -1}}, "run.inner: rate is at least 0: got -1.0"),
        ({"count": 1, "inner": 3}, "run.inner is a group of settings: got 3"),
        ({"count": 1, "free": [1]}, "run.free is of type Mapping: got [1]"),
        ({}, "run is not complete: "),
        ([], "run is a group of settings: got []"),
    ],
)
def test_what_does_not_fit_is_named_in_full(values: Any, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        build(Outer, values, "run")
    assert message in str(caught.value)


def test_the_nearest_word_or_all_of_them() -> None:
    assert nearest("spirl", ["rloo", "spiral"]) == "did you mean 'spiral'?"
    assert nearest("qqq", ["rloo", "grpo"]) == "known: grpo, rloo"
