"""One contract for every credit method in the registry."""

import dataclasses
import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnwise.algorithms.credit import CREDITS

pytestmark = pytest.mark.filterwarnings("ignore:.*groups have one reward")

ALL_ROWS = {"spo_tree": {"drop_zero": False}}
"""Settings under which a method that drops rows by default keeps them: name -> settings."""

drawn_games = st.lists(
    st.tuples(
        st.text(alphabet="01", max_size=6),  # who spoke; an empty game too
        st.floats(-1e6, 1e6),
        st.sampled_from("gh"),
        st.sampled_from(["policy", "random"]),
        st.sets(st.integers(0, 5)),
        st.sampled_from(["ok", "truncated", "env_error"]),
    ),
    max_size=8,
)


@pytest.mark.parametrize("name", sorted(CREDITS))
@settings(max_examples=50, suppress_health_check=[HealthCheck.differing_executors])
@given(drawn=drawn_games)
def test_contract(name, drawn, episode, annotated) -> None:
    games = [
        annotated(
            episode(
                seats,
                {"0": value, "1": -value},
                id=str(index),
                group=group,
                agents={"1": agent},
                silent=tuple(silent),
                status=status,
            )
        )
        for index, (seats, value, group, agent, silent, status) in enumerate(drawn)
    ]
    method = CREDITS[name]
    chosen = method.settings(**ALL_ROWS.get(name, {}))
    table, state, *_ = method.function(games, {}, chosen)

    assert json.loads(json.dumps(state)) == state, "the state must survive a checkpoint"
    method.function(games, json.loads(json.dumps(state)), chosen)
    assert [len(row) for row in table] == [len(game.turns) for game in games]
    for game, row in zip(games, table, strict=True):
        for turn, value in zip(game.turns, row, strict=True):
            trained = game.seats[turn.seat] == "policy" and turn.completion_ids and game.status != "env_error"
            assert (value is not None) == bool(trained), "exactly the learner's own tokens are trained"
            assert value is None or all_finite(value, len(turn.completion_ids))


def all_finite(value, tokens: int) -> bool:
    """Whether it is one finite float, or one per token."""
    numbers = value if isinstance(value, tuple) else (value,)
    return len(numbers) in (1, tokens) and all(type(number) is float and math.isfinite(number) for number in numbers)


@pytest.mark.parametrize("name", sorted(CREDITS))
def test_empty_batch(name) -> None:
    assert CREDITS[name].function([], {}, CREDITS[name].settings())[0] == []


@pytest.mark.parametrize("name", sorted(CREDITS))
def test_settings_are_frozen_records_with_defaults(name) -> None:
    record = CREDITS[name].settings()
    assert dataclasses.is_dataclass(record)
    field = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, field, None)
