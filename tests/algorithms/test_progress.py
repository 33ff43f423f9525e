"""The live view and the summary, on streams that are no terminal and on one that says it is."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from turnwise.algorithms.reporting.progress import Progress, summary_table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Goes on by `tick` seconds each time it is read."""

    def __init__(self, tick: float) -> None:
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def records(count: int) -> Iterator[dict[str, Any]]:
    for step in range(1, count + 1):
        record: dict[str, Any] = {
            "step": step,
            "return/player_0": -0.125,
            "win_rate/player_0": 0.4375,
            "invalid_rate": 0.0025,
        }
        if step == 3:
            record["eval"] = {"nash_conv": 0.917, "nash_conv_mean": 0.5}
        if step == 7:
            record["eval"] = {"nash_conv": 0.25}
        if step == 11:
            record["eval"] = {"nash_conv": 0.375}
        yield record


def test_plain_lines_at_intervals_evaluations_and_the_end() -> None:
    stream, clock = io.StringIO(), Clock(0.0)
    with Progress(12, every=5, stream=stream, clock=clock) as progress:
        for record in records(12):
            clock.now += 0.5
            progress.update(record)
    lines = stream.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"step {step}/12" for step in (3, 5, 7, 10, 11, 12)]
    assert lines[-1] == (
        "step 12/12  return/player_0 -0.125  win_rate/player_0 43.8%  invalid_rate 0.25%  "
        "NashConv 0.917 -> 0.375 (best 0.250)  steps/s 2.00  left 0.0 s"
    )
    assert lines[1].endswith("NashConv 0.917 -> 0.917 (best 0.917)  steps/s 2.00  left 3.5 s")


def test_a_run_that_goes_on_counts_its_own_pace() -> None:
    clock = Clock(0.0)
    with Progress(100, done_steps=80, stream=io.StringIO(), clock=clock) as progress:
        assert progress.line() == "step 80/100"
        clock.now += 1000.0  # loading counts for nothing
        progress.update({"step": 81})
        clock.now += 18.0
        progress.update({"step": 90})
        assert progress.line() == "step 90/100  steps/s 0.50  left 20 s"


def test_the_best_of_a_rate_is_its_highest() -> None:
    with Progress(3, stream=io.StringIO(), clock=Clock(0.0)) as progress:
        for step, share in enumerate((0.5, 0.9, 0.8), start=1):
            progress.update({"step": step, "eval": {"not_lost/random": share}})
        assert progress.figures() == {"Games not lost, random": "50.0% -> 80.0% (best 90.0%)"}


@pytest.mark.parametrize(("seconds", "most"), [(0.001, 3), (1.0, 60)])
def test_a_terminal_is_redrawn_at_most_twice_a_second(
    seconds: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = 0
    stream, clock = Terminal(), Clock(0.0)
    with Progress(50, stream=stream, clock=clock) as progress:
        view = progress._view

        def counted() -> Any:
            nonlocal drawn
            drawn += 1
            return view()

        monkeypatch.setattr(progress, "_view", counted)
        for record in records(50):
            clock.now += seconds
            progress.update(record)
    assert 1 <= drawn <= most
    assert drawn >= 50 or seconds < 1.0
    assert "step 50/50" in stream.getvalue()


def test_the_summary_is_printed_by_name() -> None:
    stream = io.StringIO()
    summary_table(
        {"nash_conv": 0.125, "illegal_rate": 0.004, "seconds": 143.2, "games": 102400, "[b]": "[red]x"}, stream
    )
    text = stream.getvalue()
    assert [word in text for word in ("NashConv", "0.125", "0.40%", "2 min 23 s", "102,400", "[red]x")] == [True] * 6


def test_a_run_with_a_token_budget_counts_tokens() -> None:
    stream, clock = io.StringIO(), Clock(0.0)
    with Progress(1600, token_budget=900, every=2, stream=stream, clock=clock) as progress:
        for step, tokens in enumerate((0, 300, 600, 900)):
            clock.now = float(step)
            progress.update({"step": step, "tokens": tokens})
    lines = stream.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines] == ["tokens 0/900", "tokens 600/900", "tokens 900/900"]
    assert lines[1].split("  ")[1:] == ["tokens/s 300", "left 1.0 s"]
