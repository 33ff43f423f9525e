"""Figures of suites: numbers by hand, pass@k against counting, intervals and verdicts."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.evaluation.intervals import wilson
from turnwise.algorithms.evaluation.rows import Row
from turnwise.algorithms.suites.figures import (
    Scale,
    bootstrap,
    difference,
    mean_over,
    pass_at,
    problem_means,
    rate_interval,
    task_figures,
)
from turnwise.algorithms.suites.verdicts import null_verdict

SOLVED = Scale(measure="solved", lowest=0.0, highest=1.0)


def row(problem: str, gained: float, **changes: Any) -> Row:
    """One finished game of three turns."""
    values: dict[str, Any] = {
        "seat": "player_0",
        "lost": None,
        "finished": True,
        "status": "ok",
        "level": None,
        "turns": 3,
        "tokens": None,
        "tool_calls": 0,
        "unparsable": 0,
        "illegal": 0,
        "truncated": 0,
    }
    return Row(problem=problem, gained=gained, **{**values, **changes})


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_choices_with_a_solution(numbers: tuple[int, int, int]) -> None:
    tries, solved, k = numbers
    outcomes = [True] * solved + [False] * (tries - solved)
    choices = list(itertools.combinations(outcomes, k))
    assert pass_at(tries, solved, k) == pytest.approx(sum(map(any, choices)) / len(choices))


@pytest.mark.parametrize("numbers", [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4)])
def test_pass_at_k_refuses(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"pass@k needs"):
        pass_at(*numbers)


@pytest.mark.parametrize(
    ("measure", "gained", "value"),
    [
        ("solved", 1.0, 1.0),
        ("solved", 0.5, 0.0),
        ("won", 0.5, 1.0),
        ("won", 0.0, 0.0),
        ("not_lost", 0.0, 1.0),
        ("not_lost", -0.5, 0.0),
        ("return", -0.5, -0.5),
    ],
)
def test_what_a_game_counts_for(measure: str, gained: float, value: float) -> None:
    assert Scale(measure=measure, lowest=-1.0, highest=1.0).value(row("a", gained)) == value


def test_scores_lie_between_the_bounds_of_the_game() -> None:
    paid = Scale(measure="return", lowest=-2.0, highest=2.0)
    assert [paid.score(value) for value in (-2.0, 0.0, 1.0)] == [0.0, 0.5, 0.75]
    assert SOLVED.score(0.3) == 0.3


def test_a_problem_with_a_failed_game_is_left_out() -> None:
    rows = [row("a", 1.0), row("a", 0.0), row("b", 1.0), row("b", 1.0, finished=False, status="env_error")]
    assert problem_means(rows, SOLVED) == {"a": 0.5}
    figures = task_figures(rows, SOLVED, 2, {}, 0)
    assert (figures["games"], figures["failed"], figures["problems"]) == (2, 2, 1)
    with pytest.raises(ValueError, match="env_error"):
        task_figures(rows[3:], SOLVED, 1, {}, 0)


def test_figures_of_a_task_by_hand() -> None:
    rows = [
        row("a", 1.0, level="easy", tokens=10, tool_calls=1),
        row("a", 0.0, level="easy", tokens=20, illegal=1, status="truncated"),
        row("b", 0.0, level="hard", tokens=30, unparsable=1, truncated=1),
        row("b", 0.0, level="hard", tokens=40, tool_calls=2),
    ]
    figures = task_figures(rows, SOLVED, 2, {"api/cost": 0.5}, 0)
    assert figures["value"] == 0.25
    assert figures["interval"] == wilson(0.5, 2)  # two problems, not four independent games
    assert {k: of["value"] for k, of in figures["pass_at"].items()} == {"1": 0.25, "2": 0.5}
    assert {level: of["value"] for level, of in figures["levels"].items()} == {"easy": 0.5, "hard": 0.0}
    assert (figures["turns"], figures["tokens"], figures["tool_calls"]) == (3, 25, 0.75)
    assert figures["invalid_rate"] == 3 / 12
    assert figures["invalid_interval"] == wilson(3, 12)
    assert figures["stopped"] == 0.25
    assert figures["usage"] == {"api/cost": 0.5}


def test_a_rate_of_single_tries_has_wilsons_interval() -> None:
    assert rate_interval([1.0, 0.0, 1.0, 1.0], 4, 1) == wilson(3, 4)


def test_bootstrap_is_near_the_normal_interval_and_repeats() -> None:
    values = [float(index % 2) for index in range(400)]
    low, high = bootstrap(values, 0) or (0, 0)
    reach = 1.96 * 0.5 / math.sqrt(400)
    assert (low, high) == pytest.approx((0.5 - reach, 0.5 + reach), abs=0.01)
    assert bootstrap(values, 0) == (low, high)
    assert bootstrap([1.0], 0) is None


def test_a_difference_is_of_the_problems_that_both_have_played() -> None:
    found = difference({"a": 1.0, "b": 0.5, "c": 1.0}, {"a": 0.0, "b": 0.5, "d": 1.0}, 0)
    assert (found["mean"], found["problems"]) == (0.5, 2)
    with pytest.raises(ValueError, match="there are none"):
        difference({"a": 1.0}, {"b": 1.0}, 0)


def test_pairing_takes_the_luck_of_the_deal_out() -> None:
    luck = [float(index % 10) for index in range(100)]
    mine = {str(index): value + 0.5 for index, value in enumerate(luck)}
    theirs = {str(index): value for index, value in enumerate(luck)}
    assert difference(mine, theirs, 0)["interval"] == (0.5, 0.5)
    low, high = bootstrap(list(mine.values()), 0) or (0, 0)
    assert high - low > 0.5


def test_the_mean_over_tasks_counts_tasks_alike() -> None:
    found = mean_over([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0]], 0, lambda index, mean: mean)
    assert found == {"mean": 0.5, "interval": (0.5, 0.5)}


@pytest.mark.parametrize(
    ("gained", "kind"),
    [(1.0, None), (0.0, "not_separated"), (-1.0, "beaten")],
)
def test_a_task_at_which_no_skill_is_needed_is_flagged(gained: float, kind: str | None) -> None:
    mine = {str(index): gained for index in range(20)}
    nulls = {"empty": dict.fromkeys(mine, 0.0), "random": dict.fromkeys(mine, -0.5)}
    found = null_verdict("task", "me", mine, nulls, 0)
    assert (None if found is None else found["kind"]) == kind
    if found is not None:
        assert found["null"] == "empty"
        assert "null agent `empty`" in found["text"]
    assert null_verdict("task", "empty", mine, {"empty": mine}, 0) is None
