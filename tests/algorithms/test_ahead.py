"""Items that are made ready while the one before them is in use."""

from __future__ import annotations

import threading

import pytest

from turnwise.algorithms.ahead import ahead


def test_every_item_comes_ready_and_in_order() -> None:
    for count in range(5):
        assert list(ahead(range(count), lambda number: number * number)) == [n * n for n in range(count)]


def test_the_next_one_is_made_ready_while_one_is_in_use() -> None:
    begun = [threading.Event() for _ in range(3)]

    def prepare(number: int) -> int:
        begun[number].set()
        return number

    for number in ahead(range(3), prepare):
        if number < 2:
            assert begun[number + 1].wait(30)  # whoever uses `number` has not asked for the next one
        if number == 0:
            assert not begun[2].is_set()  # one ahead, not more


def test_what_goes_wrong_is_raised_where_its_item_is_asked_for() -> None:
    def prepare(number: int) -> int:
        if number == 1:
            raise ValueError("no such rows")
        return number

    coming = ahead(range(3), prepare)
    assert next(coming) == 0
    with pytest.raises(ValueError, match="no such rows"):
        next(coming)


def test_one_who_stops_early_leaves_no_thread_behind() -> None:
    coming = ahead(range(9), lambda number: number)
    assert next(coming) == 0
    coming.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("turnwise-ahead")]
