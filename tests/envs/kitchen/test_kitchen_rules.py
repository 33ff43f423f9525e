"""One tick of the kitchen, by hand: walking and collisions, using things, cooking."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.envs.kitchen.layouts import COUNTER, DRAWINGS, FLOOR, HATCH, ONIONS, PLATES, POT, Cell, layout_of
from turnwise.envs.kitchen.rules import ACTIONS, ONION, PLATE, SOUP, Cook, Events, Kitchen, Pot, opening, tick

CRAMPED = layout_of("cramped")
# #O#PP#
# #1  2S
# #3  4#
# ##D#O#


def cells(*cooks: Cook) -> list[Cell]:
    return [cook.cell for cook in cooks]


def walked(starts: list[Cell], *actions: str, layout: str = "cramped") -> list[Cell]:
    """Where cooks are after one tick."""
    kitchen, events = tick(layout_of(layout), opening(layout_of(layout), starts), actions, 5)
    assert events == Events()
    return cells(*kitchen.cooks)


@pytest.mark.parametrize(
    ("starts", "actions", "ends"),
    [
        ([(1, 1), (2, 4)], ("east", "north"), [(1, 2), (1, 4)]),
        ([(1, 1), (2, 4)], ("north", "south"), [(1, 1), (2, 4)]),  # a stack of onions and a counter are in the way
        ([(1, 1), (1, 3)], ("east", "west"), [(1, 1), (1, 3)]),  # two into one cell
        ([(1, 1), (1, 2)], ("east", "west"), [(1, 1), (1, 2)]),  # a swap
        ([(1, 1), (1, 2)], ("east", "stay"), [(1, 1), (1, 2)]),  # somebody stays
        ([(1, 1), (1, 2)], ("east", "interact"), [(1, 1), (1, 2)]),
        ([(1, 1), (1, 2)], ("east", "east"), [(1, 2), (1, 3)]),  # one after the other
        ([(1, 1), (1, 2)], ("east", "north"), [(1, 1), (1, 2)]),  # who turns to a counter stays
        ([(1, 1), (1, 2), (1, 3)], ("east", "east", "stay"), [(1, 1), (1, 2), (1, 3)]),  # a blocked row
        ([(1, 1), (1, 2), (2, 2), (2, 1)], ("east", "south", "west", "north"), [(1, 2), (2, 2), (2, 1), (1, 1)]),
        ([(1, 1), (1, 3), (2, 2)], ("east", "west", "north"), [(1, 1), (1, 3), (2, 2)]),  # three into one cell
        # two fail to enter a cell, so that the one behind fails as well
        ([(1, 1), (1, 3), (2, 1)], ("east", "west", "north"), [(1, 1), (1, 3), (2, 1)]),
    ],
)
def test_collisions(starts: list[Cell], actions: tuple[str, ...], ends: list[Cell]) -> None:
    assert walked(starts, *actions) == ends


def test_a_blocked_cook_turns_all_the_same() -> None:
    kitchen, _ = tick(CRAMPED, opening(CRAMPED, [(1, 1), (1, 2)]), ("east", "west"), 5)
    assert [cook.facing for cook in kitchen.cooks] == ["east", "west"]


def used(cook: Cook, kitchen: Kitchen | None = None, **changes: object) -> tuple[Kitchen, Events]:
    """The kitchen after this cook, alone with one in a corner, interacts."""
    base = kitchen or opening(CRAMPED, [(1, 1), (2, 4)])
    return tick(CRAMPED, base._replace(cooks=(cook, base.cooks[1]), **changes), ("interact", "stay"), 5)


def test_stacks_give_to_empty_hands_only() -> None:
    assert used(Cook((1, 1), "north"))[0].cooks[0].holds == ONION
    assert used(Cook((1, 1), "north", PLATE))[0].cooks[0].holds == PLATE
    assert used(Cook((2, 2), "south"))[0].cooks[0].holds == PLATE
    assert used(Cook((2, 2), "south", ONION))[0].cooks[0].holds == ONION
    assert used(Cook((1, 1), "east"))[0] == opening(CRAMPED, [(1, 1), (2, 4)])._replace(
        cooks=(Cook((1, 1), "east"), Cook((2, 4), "south"))
    )  # floor: nothing happens


def test_a_counter_holds_one_thing() -> None:
    laid, _ = used(Cook((1, 1), "west", ONION))
    assert laid.counters == (((1, 0), ONION),)
    assert laid.cooks[0].holds is None
    full, _ = used(Cook((1, 1), "west", PLATE), laid)
    assert (full.counters, full.cooks[0].holds) == (laid.counters, PLATE)
    taken, _ = used(Cook((1, 1), "west"), laid)
    assert (taken.counters, taken.cooks[0].holds) == ((), ONION)


def test_three_onions_cook_for_so_many_ticks() -> None:
    pots = (Pot(), Pot(2))  # the second pot is at (0, 4)
    filled, events = used(Cook((1, 4), "north", ONION), pots=pots)
    assert events == Events(filled=1)
    assert filled.pots == (Pot(), Pot(3, 5))
    lefts = []
    for _ in range(6):
        filled, _ = tick(CRAMPED, filled, ("stay", "stay"), 5)
        lefts.append(filled.pots[1].left)
    assert lefts == [4, 3, 2, 1, 0, 0]
    assert filled.pots[1].done


def test_a_pot_takes_and_gives_only_what_fits() -> None:
    at = Cook((1, 4), "north")
    for holds, pot in [
        (ONION, Pot(3, 2)),
        (ONION, Pot(3)),
        (PLATE, Pot(3, 1)),
        (PLATE, Pot(2)),
        (None, Pot(3)),
        (SOUP, Pot(1)),
    ]:
        after, events = used(at._replace(holds=holds), pots=(Pot(), pot))
        assert events == Events()
        assert after.cooks[0].holds == holds
        assert after.pots[1].onions == pot.onions
    after, events = used(at._replace(holds=PLATE), pots=(Pot(), Pot(3)))
    assert events == Events(taken=1)
    assert (after.cooks[0].holds, after.pots[1]) == (SOUP, Pot())


def test_the_hatch_takes_soup() -> None:
    after, events = used(Cook((1, 4), "east", SOUP))
    assert events == Events(served=1)
    assert after.cooks[0].holds is None
    for holds in (None, ONION, PLATE):
        after, events = used(Cook((1, 4), "east", holds))
        assert (events, after.cooks[0].holds) == (Events(), holds)


def test_the_lower_seat_reaches_first() -> None:
    kitchen = Kitchen((Cook((1, 3), "north", ONION), Cook((1, 4), "west", ONION)), (Pot(2), Pot()))
    kitchen = kitchen._replace(cooks=(kitchen.cooks[0], Cook((1, 4), "north", ONION)))
    both, events = tick(CRAMPED, kitchen, ("interact", "interact"), 5)
    assert events == Events(filled=2)
    assert both.pots == (Pot(3, 5), Pot(1))
    layout = layout_of("pass")
    # one onion on the counter between the rooms, wanted from both sides
    lone = Kitchen((Cook((1, 4), "west"), Cook((1, 2), "east")), (Pot(), Pot()), (((1, 3), ONION),))
    after, _ = tick(layout, lone, ("interact", "interact"), 5)
    assert [cook.holds for cook in after.cooks] == [ONION, None]


def test_interacting_comes_before_moving() -> None:
    kitchen = Kitchen((Cook((1, 1), "east"), Cook((1, 2), "east", ONION)), (Pot(), Pot()))
    after, _ = tick(CRAMPED, kitchen, ("interact", "east"), 5)
    assert cells(*after.cooks) == [(1, 1), (1, 3)]
    assert after.cooks[0].holds is None  # a cook is no counter


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_layout_is_closed_and_has_all_it_needs(name: str) -> None:
    layout = layout_of(name)
    assert len({len(row) for row in layout.rows}) == 1
    edge = layout.rows[0] + layout.rows[-1] + "".join(row[0] + row[-1] for row in layout.rows)
    assert FLOOR not in edge
    drawn = "".join(layout.rows)
    assert set(drawn) == {COUNTER, ONIONS, POT, PLATES, HATCH, FLOOR}
    assert len(set(layout.starts)) == 4
    assert all(layout.at(start) == FLOOR for start in layout.starts)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(DRAWINGS)),
    ticks=st.lists(st.tuples(*[st.sampled_from(ACTIONS)] * 4), min_size=1, max_size=40),
)
def test_cooks_never_share_a_cell_and_nothing_is_lost(name: str, ticks: list[tuple[str, ...]]) -> None:
    layout = layout_of(name)
    kitchen = opening(layout, layout.starts)
    for actions in ticks:
        before = kitchen
        kitchen, events = tick(layout, kitchen, actions, 2)
        places = cells(*kitchen.cooks)
        assert len(set(places)) == 4
        assert all(layout.at(cell) == FLOOR for cell in places)
        assert all(abs(a[0] - b[0]) + abs(a[1] - b[1]) <= 1 for a, b in zip(places, cells(*before.cooks), strict=True))
        assert sum(actions.count(act) for act in ("interact",)) >= events.filled + events.taken + events.served
        onions = [sum(pot.onions for pot in state.pots) for state in (before, kitchen)]
        assert onions[1] - onions[0] == events.filled - 3 * events.taken
        assert all(layout.at(cell) == COUNTER for cell, _ in kitchen.counters)
