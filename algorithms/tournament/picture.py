"""The picture of a tournament: the matrix of payoffs, best Elo first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

PICTURES = ("matrix.png", "matrix.svg")


def draw(result: Mapping[str, Any], paths: Sequence[Path]) -> None:
    """Draw the matrix of payoffs to each of the paths, in the format that its name says."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    names = [row["name"] for row in result["players"]]
    order = [result["matrix"]["names"].index(name) for name in names]
    mean, low, high = (_ordered(result["matrix"][layer], order) for layer in ("mean", "low", "high"))
    size = 2.6 + 0.85 * len(names)
    figure = Figure(figsize=(size + 1.4, size), layout="constrained")
    axes = figure.add_subplot()
    most = float(np.nanmax(np.abs(mean))) or 1.0
    axes.set_facecolor("0.9")  # where nobody has played
    image = axes.imshow(mean, cmap="RdBu", vmin=-most, vmax=most)
    for row, column in np.ndindex(*mean.shape):
        if not np.isnan(mean[row, column]):
            text = f"{mean[row, column]:+.2f}\n{low[row, column]:+.2f} to {high[row, column]:+.2f}"
            dark = abs(mean[row, column]) > 0.6 * most
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if dark else "black")
    labels = [name if len(name) <= 24 else f"{name[:23]}…" for name in names]
    axes.set_xticks(range(len(names)), [_plain(name) for name in labels], rotation=30, ha="right")
    axes.set_yticks(range(len(names)), [_plain(name) for name in labels])
    axes.set_title(f"{result['env']['id']}: mean return of the row against the column, 95% intervals", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.8, label="task units per game")
    for path in paths:
        figure.savefig(path, dpi=130, metadata={"Date": None} if path.suffix == ".svg" else None)


def _ordered(layer: Sequence[Sequence[float | None]], order: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = np.array([[np.nan if value is None else value for value in row] for row in layer])
    return values[np.ix_(order, order)]


def _plain(name: str) -> str:
    """The name without what matplotlib would read as mathematics."""
    return name.replace("$", r"\$")
