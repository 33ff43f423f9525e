"""`quick`: cheaper to make, and in all else what calling the class makes."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from dataclasses import dataclass, field

import pytest

from turnwise.quick import quick
from turnwise.records import RecordError, Turn, make_turn


@dataclass(frozen=True, slots=True)
class Plain:
    first: int
    second: str = "two"
    third: list[int] = field(default_factory=list)
    last: float = field(default=0.5, kw_only=True)

    def __post_init__(self) -> None:
        if self.first < 0:
            raise ValueError(f"first is at least 0: got {self.first}")


make_plain = quick(Plain)


@pytest.mark.parametrize("given", [(1,), (1, "x"), (1, "x", [2])])
@pytest.mark.parametrize("named", [{}, {"last": 2.0}])
def test_the_same_record_out_of_the_same_arguments(given: tuple[object, ...], named: dict[str, object]) -> None:
    made, plain = make_plain(*given, **named), Plain(*given, **named)  # type: ignore[arg-type]
    assert type(made) is Plain
    assert made == plain and repr(made) == repr(plain)
    assert dataclasses.replace(made, first=7) == dataclasses.replace(plain, first=7)
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == made


def test_a_default_factory_makes_a_new_one_each_time() -> None:
    assert make_plain(1).third == [] and make_plain(1).third is not make_plain(1).third


def test_it_is_frozen_and_checked() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_plain(1).first = 2  # type: ignore[misc]
    with pytest.raises(ValueError, match="first is at least 0: got -1"):
        make_plain(-1)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'first'"):
        make_plain()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="takes from 1 to 3 positional arguments"):
        make_plain(1, "x", [], 2.0)  # type: ignore[call-arg]


def test_turns_are_made_and_refused_as_by_their_class() -> None:
    given = {"seat": "a", "observation": (), "text": "[x]", "completion_ids": (1, 2), "logprobs": (-0.5, -math.inf)}
    assert make_turn(**given) == Turn(**given)
    for wrong in ({"logprobs": (-0.5,)}, {"status": "lost"}, {"logprobs": (-0.5, math.nan)}, {"reward": math.inf}):
        told = []
        for make in (make_turn, Turn):
            with pytest.raises(RecordError) as error:
                make(**(given | wrong))
            told.append(str(error.value))
        assert told[0] == told[1]


def test_only_records_with_slots_are_taken() -> None:
    @dataclass(frozen=True)
    class Loose:
        first: int

    @dataclass(frozen=True, slots=True)
    class Made:
        first: int = field(default=1, init=False)

    for record in (Loose, Made):
        with pytest.raises(TypeError, match="quick needs a dataclass with slots, all of whose fields are given"):
            quick(record)
