"""`quick`: cheaper to make, and in all else the record that dataclasses make."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import dataclass, field

import pytest

from turnwise.quick import quick
from turnwise.records import Episode, Message, Turn


@dataclass(frozen=True, slots=True)
class Plain:
    first: int
    second: str = "two"
    third: list[int] = field(default_factory=list)
    last: float = field(default=0.5, kw_only=True)

    def __post_init__(self) -> None:
        if self.first < 0:
            raise ValueError(f"first is at least 0: got {self.first}")


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    first: int
    second: str = "two"
    third: list[int] = field(default_factory=list)
    last: float = field(default=0.5, kw_only=True)

    def __post_init__(self) -> None:
        if self.first < 0:
            raise ValueError(f"first is at least 0: got {self.first}")


@pytest.mark.parametrize("given", [(1,), (1, "x"), (1, "x", [2])])
@pytest.mark.parametrize("named", [{}, {"last": 2.0}])
def test_the_same_fields_out_of_the_same_arguments(given: tuple[object, ...], named: dict[str, object]) -> None:
    ours = Quick(*given, **named)  # type: ignore[arg-type]
    assert dataclasses.astuple(ours) == dataclasses.astuple(Plain(*given, **named))  # type: ignore[arg-type]
    assert repr(ours) == repr(Plain(*given, **named)).replace("Plain", "Quick")  # type: ignore[arg-type]
    assert dataclasses.replace(ours, first=7).first == 7
    assert pickle.loads(pickle.dumps(ours)) == copy.deepcopy(ours) == ours


def test_a_default_factory_makes_a_new_one_each_time() -> None:
    assert Quick(1).third == [] and Quick(1).third is not Quick(1).third


def test_it_stays_frozen_and_is_checked() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Quick(1).first = 2  # type: ignore[misc]
    with pytest.raises(ValueError, match="first is at least 0: got -1"):
        Quick(-1)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'first'"):
        Quick()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="takes from 2 to 4 positional arguments"):
        Quick(1, "x", [], 2.0)  # type: ignore[misc]


def test_signatures_say_what_is_taken() -> None:
    assert list(inspect.signature(Message).parameters) == ["role", "content"]
    assert list(inspect.signature(Turn).parameters) == [spec.name for spec in dataclasses.fields(Turn)]
    assert Episode.__init__.__annotations__["turns"] == "tuple[Turn, ...]"


def test_only_frozen_records_with_slots_are_taken() -> None:
    @dataclass(slots=True)
    class Open:
        first: int

    @dataclass(frozen=True)
    class Loose:
        first: int

    @dataclass(frozen=True, slots=True)
    class Made:
        first: int = field(default=1, init=False)

    for record in (Open, Loose, Made):
        with pytest.raises(TypeError, match="quick needs a frozen dataclass with slots"):
            quick(record)
