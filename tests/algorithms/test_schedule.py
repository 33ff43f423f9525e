"""Values that change over a run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.recipes import Magnet, Optimisation
from turnwise.algorithms.schedule import SHAPES, check_schedule, scheduled


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("hold", [0.0, 0.5])
def test_start_hold_and_end(shape: str, hold: float) -> None:
    at = [scheduled(8.0, 2.0, hold=hold, shape=shape, progress=p) for p in (0.0, hold, 1.0)]
    assert at == pytest.approx([8.0, 8.0, 2.0])


@pytest.mark.parametrize(
    ("shape", "quarter", "half"),
    [
        ("linear", 6.5, 5.0),
        ("geometric", 8.0 * 0.25**0.25, 4.0),
        ("cosine", 8.0 - 6.0 * (1 - 0.5**0.5) / 2, 5.0),  # (1 - cos 45 degrees) / 2 of the way
    ],
)
def test_values_on_the_way_by_hand(shape: str, quarter: float, half: float) -> None:
    """From 8 to 2, held for half of the run: a quarter of the way at 5/8, half of it at 3/4."""
    at = [scheduled(8.0, 2.0, hold=0.5, shape=shape, progress=p) for p in (0.25, 0.625, 0.75)]
    assert at == pytest.approx([8.0, quarter, half])


@given(
    st.floats(1e-9, 1e3),
    st.floats(1e-9, 1e3),
    st.floats(0, 0.99),
    st.sampled_from(SHAPES),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_it_moves_one_way_and_never_beyond_its_ends(
    start: float, end: float, hold: float, shape: str, one: float, other: float
) -> None:
    early, late = (scheduled(start, end, hold=hold, shape=shape, progress=p) for p in sorted((one, other)))
    slack = 1e-9 * max(start, end)
    assert min(start, end) - slack <= early <= max(start, end) + slack
    assert (late - early) * (end - start) >= -slack * abs(end - start)


@pytest.mark.parametrize("shape", SHAPES)
def test_past_its_end_a_run_keeps_the_last_value(shape: str) -> None:
    assert scheduled(8.0, 2.0, hold=0.0, shape=shape, progress=1.5) == pytest.approx(2.0)


def test_nothing_to_nothing_is_nothing() -> None:
    assert [scheduled(0.0, 0.0, hold=0.0, shape=shape, progress=0.5) for shape in SHAPES] == [0.0] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 1.0, 0.0, "linear"), "rate and final_rate are at least 0: got -1.0 and 1.0"),
        ((1.0, 1.0, 1.0, "linear"), r"rate_hold lies in \[0, 1\): got 1.0"),
        ((1.0, 1.0, 0.0, "linaer"), "rate_shape is one of linear, geometric, cosine: got 'linaer'"),
        ((1.0, 0.0, 0.0, "geometric"), "use rate_shape=linear"),
        ((0.0, 1.0, 0.0, "geometric"), "use rate_shape=linear"),
    ],
)
def test_impossible_schedules_are_refused(arguments: tuple[float, float, float, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_schedule("rate", *arguments)
    check_schedule("rate", 0.0, 0.0, 0.0, "geometric")


def test_learning_rate_and_magnet_weight_follow_it() -> None:
    falling = Optimisation(learning_rate=0.8, final_learning_rate=0.2, learning_rate_hold=0.5, warmup_steps=4)
    assert [falling.learning_rate_at(0.0, updates) for updates in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8])
    assert falling.learning_rate_at(0.75, 100) == pytest.approx(0.5)
    magnet = Magnet(weight=0.4, final_weight=0.1, weight_shape="geometric")
    assert [magnet.weight_at(progress) for progress in (0.0, 0.5, 1.0)] == pytest.approx([0.4, 0.2, 0.1])
