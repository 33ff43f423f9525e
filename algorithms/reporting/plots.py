"""Drawings of a run: small functions from numbers to matplotlib figures, and from figures to inline SVG.

Figures are made on matplotlib's object interface: nothing is kept between them and no display is needed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from turnwise.algorithms.reporting.measures import best, column, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT = "#1f2933", "#9aa5b1"
SERIES = ("#2563eb", "#d9730d", "#0f9d6b", "#9333ea", "#dc2f4b", "#0891b2", "#a16207")
CSS_NAMES = {INK: "ink", FAINT: "faint"} | {colour: f"series-{i}" for i, colour in enumerate(SERIES)}
"""On a page, each colour is the CSS variable of this name, so that the page's theme decides."""
WIDE, NARROW = (8.6, 3.4), (4.4, 2.3)  # inches
BUCKETS = 80  # a longer curve is drawn as means of so many stretches, with a band from their minima to their maxima


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: y over x, both of the same length."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What one chart shows."""

    title: str
    curves: tuple[Curve, ...]
    unit: str = ""
    references: tuple[tuple[str, float], ...] = ()
    """(name, height) of horizontal lines to compare with."""
    share: bool = False
    """The values are shares of 1, printed in percent."""
    stacked: bool = False
    """The curves are parts of a whole, with the same x."""
    markers: bool = False
    along: str = "step"


def draw(panel: Panel, size: tuple[float, float] = NARROW) -> Figure:
    """The chart of a panel, without title and legend: the page sets those as text. `size` in inches."""
    figure, axes = _empty(size)
    for name, height in panel.references:
        _reference(axes, name, height, panel.share, panel.curves)
    if panel.stacked:
        means = [stretches(curve.x, curve.y) for curve in panel.curves]
        axes.stackplot(means[0][0], *(mean[1] for mean in means), colors=SERIES, linewidth=0)
        axes.margins(x=0.0)
    else:
        for number, curve in enumerate(panel.curves):
            _line(axes, curve, SERIES[number % len(SERIES)], "o" if panel.markers else None)
    if panel.share:
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
    if panel.share or panel.stacked:
        axes.set_ylim(bottom=0.0)
    axes.set_xlabel(panel.along)
    axes.set_ylabel(panel.unit)
    return figure


def draw_learning(
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    measure: str = "nash_conv",
    along: str = "games",
    references: Mapping[str, float] | None = None,
    size: tuple[float, float] = WIDE,
) -> Figure:
    """An evaluated measure over training: a thin line per run, their mean in bold, and a band from lowest to highest.

    runs: name -> metrics records. along: the record's key to draw over, `games`, `turns` or `step`.
    Raises: ValueError where a run holds no evaluation of this measure.
    """
    curves = [Curve(name, *column(records, f"eval/{measure}", along)) for name, records in runs.items()]
    for curve in curves:
        if not curve.x:
            raise ValueError(f"the run {curve.label} holds no evaluation of {measure} over {along} to draw")
    figure, axes = _empty(size)
    for name, height in (references or {}).items():
        _reference(axes, name, height, share=False, curves=curves)
    if len(curves) > 1:
        x, mean, low, high = spread(curves)
        axes.fill_between(x, low, high, color=SERIES[0], alpha=0.15, linewidth=0)
        for curve in curves:
            axes.plot(curve.x, curve.y, color=SERIES[0], linewidth=0.7, alpha=0.55)
        ends = ", ".join(f"{curve.y[-1]:.3f}" for curve in curves)
        axes.plot(x, mean, color=SERIES[0], linewidth=2.0, label=f"mean of {len(curves)} runs (ends: {ends})")
    else:
        text = f"{curves[0].label} (end {curves[0].y[-1]:.3f}, best {best(measure, curves[0].y):.3f})"
        axes.plot(curves[0].x, curves[0].y, color=SERIES[0], linewidth=2.0, marker="o", markersize=2.5, label=text)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel({"games": "games of self-play", "step": "training step"}.get(along, along))
    axes.set_ylabel(label(measure))
    figure.legend(loc="outside upper left", ncols=3, fontsize=8, frameon=False, labelcolor=INK, handlelength=1.2)
    return figure


def spread(curves: Sequence[Curve]) -> tuple[Any, Any, Any, Any]:
    """(x, mean, lowest, highest) over the stretch of x that all curves cover, straight lines between their points."""
    start, end = max(curve.x[0] for curve in curves), min(curve.x[-1] for curve in curves)
    grid = np.unique(np.concatenate([np.asarray(curve.x, dtype=float) for curve in curves] + [[start, end]]))
    grid = grid[(grid >= start) & (grid <= end)]
    heights = np.stack([np.interp(grid, curve.x, curve.y) for curve in curves])
    return grid, heights.mean(axis=0), heights.min(axis=0), heights.max(axis=0)


def stretches(x: Sequence[float], y: Sequence[float], most: int = BUCKETS) -> tuple[Any, Any, Any, Any]:
    """(mean x, mean y, lowest y, highest y) of at most `most` stretches of neighbouring points."""
    parts = np.array_split(np.arange(len(x)), min(most, len(x)))
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    columns = [(xs[part].mean(), ys[part].mean(), ys[part].min(), ys[part].max()) for part in parts]
    mean_x, mean_y, low, high = np.array(columns).reshape(-1, 4).T
    return mean_x, mean_y, low, high


def inline_svg(figure: Figure, name: str, description: str) -> str:
    """An `<svg>` element to stand in a page: no address in it, colours as CSS variables, ids of its own by `name`."""
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(text, format="svg")
    svg = text.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'\sid="(figure|axes|patch|text|line2d|legend|matplotlib|xtick|ytick|FillBetween)[^"]*"', "", svg)
    svg = re.sub(r" ?font-family: [^;]*;|<style.*?</style>", "", svg, flags=re.DOTALL)  # the page's own rule
    for colour, css in CSS_NAMES.items():
        svg = svg.replace(colour, f"var(--{css})")
    description = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return re.sub(
        r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>", rf'<svg \1 role="img" aria-label="{description}">', svg, count=1
    )


def _empty(size: tuple[float, float]) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=size, layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.yaxis.get_offset_text().set(color=INK, size=7.5)
    axes.grid(axis="y", color=FAINT, alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.label.set(color=INK, size=8)
    axes.yaxis.label.set(color=INK, size=8)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    return figure, axes


def _line(axes: Axes, curve: Curve, colour: str, marker: str | None) -> None:
    x, y, low, high = stretches(curve.x, curve.y, most=BUCKETS if len(curve.x) > 2 * BUCKETS else len(curve.x))
    if len(x) < len(curve.x):
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(x, y, color=colour, linewidth=1.5, marker=marker, markersize=2.5)


def _reference(axes: Axes, name: str, height: float, share: bool, curves: Sequence[Curve]) -> None:
    """A dashed line, named at the end that the curves are farther from."""
    first, last = (min((abs(curve.y[i] - height) for curve in curves), default=0.0) for i in (0, -1))
    left = first > last
    value = f"{100 * height:.3g}%" if share else f"{height:.3g}"
    axes.axhline(height, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.annotate(
        f"{name} {value}",
        (0.0 if left else 1.0, height),
        xycoords=("axes fraction", "data"),
        xytext=(3 if left else 0, 2.5),
        textcoords="offset points",
        ha="left" if left else "right",
        color=INK,
        size=7.5,
    )
