"""Numbers to charts: what is drawn where, and what the picture command makes of run folders."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.reporting.measures import (
    best,
    column,
    dig,
    duration,
    label,
    main_measure,
    names_under,
    shown,
    with_start,
)
from turnwise.algorithms.reporting.panels import evaluation_panel, time_panel, training_panels
from turnwise.algorithms.reporting.plots import SERIES, Curve, Panel, draw, draw_learning, inline_svg, spread, stretches
from turnwise.algorithms.reporting.runlog import RunLog

RECORDS: list[dict[str, Any]] = [
    {"step": 1, "games": 10, "loss": 0.5, "return/player_0": 0.25, "eval": {"nash_conv": 0.9, "nash_conv_mean": 0.9}},
    {"step": 2, "games": 20, "loss": None, "time": {"step": 1.0, "rollout": 0.5, "update": 0.25}},
    {"step": 3, "games": 30, "loss": 1.5, "eval": {"nash_conv": 0.3, "nash_conv_mean": 0.3, "nash_conv_last": 0.4}},
]


def test_columns_leave_out_what_is_not_there() -> None:
    assert column(RECORDS, "loss") == ([1, 3], [0.5, 1.5])
    assert column(RECORDS, "eval/nash_conv", "games") == ([10, 30], [0.9, 0.3])
    assert column(RECORDS, "nothing") == ([], [])
    assert dig(RECORDS[0], "return/player_0") == 0.25
    assert dig({"a": {"b/c": 1}}, "a/b/c") == 1
    assert names_under(RECORDS, "eval") == ["eval/nash_conv", "eval/nash_conv_mean", "eval/nash_conv_last"]
    assert names_under(RECORDS, "return") == ["return/player_0"]


def test_measures_in_print() -> None:
    printed = [
        ("illegal_rate", 0.0012, "0.12%"),
        ("win_rate/player_0", 0.5, "50.0%"),
        ("learning_rate", 5e-4, "0.0005"),
    ]
    printed += [("games", 1234567, "1,234,567"), ("nash_conv", 0.12345, "0.123"), ("seconds", 3725.0, "1 h 02 min")]
    printed += [("us_outside_model_per_turn", 71.3, "71 µs"), ("loss", float("nan"), "-"), ("loss", None, "-")]
    assert [shown(name, value) for name, value, _ in printed] == [text for _, _, text in printed]
    assert [duration(seconds) for seconds in (0.25, 9.96, 59.4, 59.6, 3599.6)] == [
        "0.2 s",
        "10 s",
        "59 s",
        "1 min 00 s",
        "1 h 00 min",
    ]
    assert [label(name) for name in ("nash_conv", "win_rate/player_0")] == ["NashConv", "Win rate, player_0"]
    assert [label(f"nash_conv{end}") for end in ("_start", "_best")] == ["NashConv, at the start", "NashConv, best"]
    assert [label(name) for name in ("best_checkpoint", "x_start")] == ["Best checkpoint", "X start"]
    assert [shown("not_lost_start", 0.5), shown("not_lost/random", 0.5)] == ["50.0%", "50.0%"]
    assert main_measure({"exploitability": 1.0, "nash_conv": 2.0}) == "nash_conv"
    assert main_measure({"note": "x", "not_lost/random": 0.5}) == "not_lost/random"
    assert main_measure({}) is None
    assert [best("nash_conv_mean", [0.3, 0.1, 0.2]), best("not_lost/random", [0.5, 0.9])] == [0.1, 0.9]


def test_the_reported_weights_are_drawn_once_from_the_start_on() -> None:
    panel = evaluation_panel(with_start(RECORDS, {"nash_conv_start": 0.95}), {"uniform": 0.9167})
    assert panel is not None
    assert panel.references == (("uniform", 0.9167),)
    assert not panel.share
    drawn = [(curve.label, list(curve.x), list(curve.y)) for curve in panel.curves]
    mean, last = (
        ("NashConv, running mean of weights", [0, 1, 3], [0.95, 0.9, 0.3]),
        ("NashConv, last weights", [3], [0.4]),
    )
    assert drawn == [mean, last]
    assert evaluation_panel(RECORDS[1:2], {}) is None
    assert with_start(RECORDS[1:2], {"nash_conv_start": 0.95}) == RECORDS[1:2]


def test_rates_are_drawn_as_shares_with_each_opponent() -> None:
    evaluation = {"not_lost": 0.5, "not_lost/random": 0.5, "win_rate/random": 0.25, "not_lost/mcts(100)": 0.125}
    panel = evaluation_panel([{"step": 1, "eval": evaluation}], {})
    assert panel is not None
    assert panel.share
    assert [curve.label for curve in panel.curves] == ["Games not lost", "Games not lost, mcts(100)"]


def test_time_adds_up_to_the_step() -> None:
    panel = time_panel(RECORDS)
    assert panel is not None
    assert [(curve.label, list(curve.y)) for curve in panel.curves] == [
        ("rollout", [0.5]),
        ("update", [0.25]),
        ("other", [0.25]),
    ]
    whole = time_panel([{"step": 1, "time": {"step": 1.0, "rollout": 1.0}}])
    assert whole is not None
    assert [curve.label for curve in whole.curves] == ["rollout"]
    assert [panel.title for panel in training_panels(RECORDS)] == ["Return per seat", "Time per step"]


def test_stretches_by_hand() -> None:
    x, mean, low, high = stretches([1, 2, 3, 4], [0.0, 2.0, 5.0, 5.0], most=2)
    assert [list(x), list(mean), list(low), list(high)] == [[1.5, 3.5], [1.0, 5.0], [0.0, 5.0], [2.0, 5.0]]


def test_spread_by_hand() -> None:
    # Second curve on the grid 10, 15, 20, of which it holds 10 and 20: half way it is 2.
    grid, mean, low, high = spread([Curve("a", [0, 10, 15, 20], [9, 4, 2, 0]), Curve("b", [10, 20, 30], [0, 4, 8])])
    assert list(grid) == [10, 15, 20]
    assert [list(mean), list(low), list(high)] == [[2, 2, 2], [0, 2, 0], [4, 2, 4]]


def test_the_learning_curve_shows_each_run_their_mean_and_the_lines() -> None:
    runs = {
        name: [{"games": g, "eval": {"nash_conv": y}} for g, y in ((0, 0.9), (100, end))]
        for name, end in (("a", 0.1), ("b", 0.3))
    }
    axes = draw_learning(runs, references={"uniform": 0.9167}).axes[0]
    heights = [[round(float(y), 9) for y in line.get_ydata()] for line in axes.lines]
    assert heights == [[0.9167, 0.9167], [0.9, 0.1], [0.9, 0.3], [0.9, 0.2]]
    assert [text.get_text() for text in axes.texts] == ["uniform 0.917"]
    assert axes.get_legend_handles_labels()[1] == ["mean of 2 runs (ends: 0.100, 0.300)"]
    single = draw_learning({"a": runs["a"]}).axes[0]
    assert single.get_legend_handles_labels()[1] == ["a (end 0.100, best 0.100)"]
    with pytest.raises(ValueError, match="the run c holds no evaluation of nash_conv over games"):
        draw_learning({"c": [{"step": 1}]})


def test_a_drawing_in_a_page_follows_the_page() -> None:
    panel = Panel(title="t", curves=(Curve("a", [1, 2], [0.0, 1.0]),), share=True, references=(("x < y", 0.5),))
    svg = inline_svg(draw(panel), "one", 'a "quoted" <text>')
    assert svg.startswith('<svg viewBox="')
    assert 'aria-label="a &quot;quoted&quot; &lt;text>"' in svg
    assert "var(--series-0)" in svg
    assert SERIES[0] not in svg
    assert "x &lt; y 50%" in svg
    assert "100%" in svg
    assert "http" not in svg
    assert svg == inline_svg(draw(panel), "one", 'a "quoted" <text>')


def test_drawing_leaves_no_global_state() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    inline_svg(draw(Panel(title="t", curves=(Curve("a", [1], [0.0]),))), "one", "")
    assert dict(matplotlib.rcParams) == before


def test_the_picture_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Path(__file__).resolve().parents[2] / "benchmarks/plot_learning.py"
    spec = importlib.util.spec_from_file_location("plot_learning", source)
    assert spec is not None
    assert spec.loader is not None
    command = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(command)
    for name in ("a", "b"):
        log = RunLog(tmp_path / name, tensorboard=False)
        for record in RECORDS:
            log.write(record)
        log.close()
    (tmp_path / "a/evaluation.json").write_text(json.dumps({"references": {"uniform": 0.9167}}))
    out = tmp_path / "docs/curve.png"
    assert command.main([str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert command.main([str(tmp_path / "missing"), "--out", str(out)]) == 2
    assert "no such directory" in capsys.readouterr().err
