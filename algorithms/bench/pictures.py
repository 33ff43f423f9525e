"""One picture a task: how the figure moved over the sampled tokens, and where every run ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnwise.algorithms.bench.definition import Bench, Task
from turnwise.algorithms.reporting.measures import label
from turnwise.algorithms.reporting.plots import FAINT, INK, SERIES, Curve, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Run = Mapping[str, Any]


def draw_tasks(bench: Bench, runs: Sequence[Run], folder: Path) -> list[Path]:
    """Write learn_TASK.png of every task that has a run; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, task in bench.tasks.items():
        mine = [run for run in runs if run["task"] == name]
        if mine:
            path = folder / f"learn_{name}.png"
            draw_task(task, mine).savefig(path, dpi=140)
            drawn.append(path)
    return drawn


def draw_task(task: Task, runs: Sequence[Run]) -> Figure:
    """Left the mean curve of every method, with a band from its lowest to its highest run; right the ends."""
    from matplotlib.figure import Figure

    methods = [method for method in task.methods if any(run["method"] == method for run in runs)]
    figure = Figure(figsize=(9.6, 3.8), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2, width_ratios=[3, 1.3])
    for number, method in enumerate(methods):
        look = {"color": SERIES[number % len(SERIES)], "linestyle": ("-", "--", ":")[number // len(SERIES) % 3]}
        mine = [run for run in runs if run["method"] == method]
        _curves(left, mine, look, method.replace("_", " "))
        ends = [run["final"] for run in mine]
        face = look["color"] if look["linestyle"] == "-" else "white"
        right.plot(ends, [number] * len(ends), "o", markersize=4, alpha=0.6, color=look["color"], markerfacecolor=face)
        right.plot(sum(ends) / len(ends), number, "|", markersize=14, markeredgewidth=2, color=look["color"])
    right.set_yticks(range(len(methods)), [method.replace("_", " ") for method in methods])
    right.set_ylim(len(methods) - 0.5, -0.5)
    for axes in (left, right):
        _plain(axes)
    left.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:,.0f}k" if value else "0")
    left.set_xlabel("sampled tokens", size=8, color=INK)
    left.set_ylabel(label(task.figure), size=8, color=INK)
    right.set_xlabel(f"{label(task.figure)}, at the end", size=8, color=INK)
    left.legend(fontsize=7, frameon=False, labelcolor=INK, ncols=2 if len(methods) > 6 else 1)
    figure.suptitle(task.title, size=9, color=INK, x=0.01, ha="left")
    return figure


def _curves(axes: Axes, runs: Sequence[Run], look: Mapping[str, Any], name: str) -> None:
    curves = [
        Curve(run["method"], [point[0] for point in run["curve"]], [point[2] for point in run["curve"]]) for run in runs
    ]
    x, mean, low, high = spread(curves)
    if len(curves) > 1:
        axes.fill_between(x, low, high, color=look["color"], alpha=0.1, linewidth=0)
    axes.plot(x, mean, linewidth=1.6, label=name, **look)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.grid(color=FAINT, alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)
