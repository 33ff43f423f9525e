"""The picture of the credit benchmark: one panel a task, one line a method, one mark a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COLOURS = {"random": "#4477aa", "half-trained": "#ee9933", "near-optimal": "#228833"}
SIGNIFICANT, ROUNDING = 3.0, 1e-6
"""A bias counts where it is so many times what chance would show, and more than rounding."""


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """How well one batch's gradient points along the exact one; hollow where the bias is no accident."""
    from matplotlib.figure import Figure

    tasks = list(dict.fromkeys(row["task"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    figure = Figure(figsize=(3.2 * len(tasks) + 2.2, 0.24 * len(methods) + 1.6), layout="constrained")
    panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for task, panel in zip(tasks, panels, strict=True):
        for row in rows:
            if row["task"] == task:
                _mark(panel, row, methods.index(row["method"]))
        panel.set_title(task, fontsize=10)
        panel.set_xlabel("cosine with the exact gradient", fontsize=8)
        panel.set_xlim(min(0.0, *(row.get("gradient_cosine", 0.0) for row in rows)) - 0.05, 1.05)
        panel.grid(axis="both", color="0.9")
        panel.set_axisbelow(True)
    panels[0].set_yticks(range(len(methods)), methods, fontsize=8)
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    _legend(figure)
    figure.set_facecolor("white")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140)


def biased(row: Mapping[str, Any]) -> bool:
    """Whether the bias that no scale removes is larger than chance explains."""
    return bool(row["bias_scaled"] > max(SIGNIFICANT * row["bias_scaled_noise"], ROUNDING))


def _mark(panel: Any, row: Mapping[str, Any], height: int) -> None:
    if "left_out" in row:
        panel.text(0.5, height, row["left_out"], fontsize=7, color="0.5", ha="center", va="center")
        return
    colour = COLOURS[row["policy"]]
    face = "white" if biased(row) else colour
    panel.plot(row["gradient_cosine"], height, "o", markersize=5, markeredgecolor=colour, markerfacecolor=face)


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], marker="o", linestyle="", color=colour, label=name) for name, colour in COLOURS.items()]
    hollow = Line2D([], [], marker="o", linestyle="", color="0.3", markerfacecolor="white", label="biased at any scale")
    figure.legend(handles=[*marks, hollow], loc="outside lower center", ncols=4, fontsize=8, frameon=False)
