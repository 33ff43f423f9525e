"""Dynamic sampling, with rounds that are written down in advance."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnwise.algorithms.explore.refill import is_mixed, refill


@pytest.fixture
def play(episode):
    """`play([{"a": (1, 0)}, ...], **settings)`: refill over rounds of groups, each with its returns."""

    def run(rounds, wanted, most=None, **chosen):
        asked = []

        def fresh(number):
            asked.append(number)
            return list(rounds[number].items()) if number < len(rounds) else []

        def collect(plans):
            return [
                episode("0", {"0": float(value)}, group=group, id=f"{group}{index}")
                for group, values in plans
                for index, value in enumerate(values)
            ]

        found, metrics = refill(collect, fresh, wanted, most or len(rounds), **chosen)
        return [one.id for one in found], metrics, asked

    return run


def test_equal_groups_are_replaced(play) -> None:
    rounds = [{"a": (1, 0), "b": (1, 1)}, {"c": (0, 0), "d": (0, 1)}, {"e": (0, 1)}]
    ids, metrics, asked = play(rounds, 2)
    assert ids == ["a0", "a1", "d0", "d1"]
    assert metrics == {"rounds": 2.0, "dropped_share": 0.5, "groups": 2.0, "extra_tokens": 8.0}  # b and c, 2 each
    assert asked == [0, 1], "a full batch asks for no more"


def test_surplus_groups_are_cut_in_order(play) -> None:
    ids, metrics, _ = play([{"a": (1, 0), "b": (0, 1), "c": (0, 1)}], 2)
    assert ids == ["a0", "a1", "b0", "b1"]
    assert metrics["dropped_share"] == 0.0
    assert metrics["extra_tokens"] == 4.0


def test_after_the_last_round_dropped_groups_fill_the_batch(play) -> None:
    rounds = [{"a": (1, 1), "b": (1, 1)}, {"c": (0, 1), "d": (0, 0)}]
    assert play(rounds, 3)[0] == ["c0", "c1", "a0", "a1", "b0", "b1"]
    ids, metrics, _ = play(rounds, 3, keep_last=False)
    assert ids == ["c0", "c1"]
    assert metrics["groups"] == 1.0


def test_no_more_plans_end_the_rounds(play) -> None:
    ids, metrics, asked = play([{"a": (1, 1)}], 2, 5)
    assert (ids, metrics["rounds"], asked) == (["a0", "a1"], 1.0, [0, 1])


def test_each_seat_is_compared_with_itself(episode) -> None:
    level = [episode("01", {"0": 1.0, "1": -1.0}, group="g") for _ in range(2)]
    assert not is_mixed(level, "policy")
    assert is_mixed([*level, episode("01", {"0": -1.0, "1": 1.0}, group="g")], "policy")
    others = [episode("01", {"0": 1.0, "1": value}, agents={"1": "other"}, group="g") for value in (0.0, 1.0)]
    assert not is_mixed(others, "policy"), "another's returns do not count"
    crashed = [level[0], episode("01", {"0": 0.0, "1": 0.0}, group="g", status="env_error")]
    assert not is_mixed(crashed, "policy")
    assert not is_mixed([], "policy")


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=4), min_size=1, max_size=4),
    st.integers(1, 6),
    st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture])
def test_a_batch_holds_whole_groups_and_mixed_ones_first(play, drawn, wanted, keep_last) -> None:
    rounds = [{f"{number}.{index}.": group for index, group in enumerate(row)} for number, row in enumerate(drawn)]
    ids, metrics, _ = play(rounds, wanted, keep_last=keep_last)
    names = [name[:-1] for name in ids[::2]]
    assert ids == [f"{name}{index}" for name in names for index in (0, 1)]
    returns = {name: group for row in rounds for name, group in row.items()}
    mixed = [len(set(returns[name])) > 1 for name in names]
    assert mixed == sorted(mixed, reverse=True)
    assert keep_last or all(mixed)
    assert metrics["groups"] == len(names) <= wanted
    assert 0.0 <= metrics["dropped_share"] <= 1.0 <= 1.0 + metrics["extra_tokens"]


def test_bad_input_is_refused(play, episode) -> None:
    with pytest.raises(ValueError, match="wanted_groups is a finite number"):
        play([{}], 0)
    with pytest.raises(ValueError, match="rounds is a finite number"):
        refill(lambda plans: [], lambda number: [], 1, 0)
    with pytest.raises(ValueError, match="episode 'a0' is of group 'a', which was played"):
        play([{"a": (1, 1)}, {"a": (1, 0)}], 2)
    with pytest.raises(ValueError, match="episode 'e' has no group; give the plans"):
        refill(lambda plans: [episode("0", {"0": 1.0})], lambda number: [1], 1, 1)
