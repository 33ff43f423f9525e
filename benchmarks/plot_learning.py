"""Draw how runs learned, from their run folders: one thin line a run, their mean, and the spread between them.

    python benchmarks/plot_learning.py runs/kuhn-0 runs/kuhn-1 runs/kuhn-2 --out docs/learning_curve.png

The ending of --out (png, svg, pdf) says the format. Horizontal lines come from the first run's evaluation.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from turnwise.algorithms.files import RunFolderError
from turnwise.algorithms.plots import draw_learning
from turnwise.algorithms.runlog import read_metrics

FORMATS = (".png", ".svg", ".pdf")


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, or 2 with a message where a run cannot be drawn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument("--out", type=Path, required=True, help=f"the picture to write: {', '.join(FORMATS)}")
    parser.add_argument("--measure", default="nash_conv", help="evaluated measure to draw (default: nash_conv)")
    parser.add_argument("--along", choices=("games", "turns", "step"), default="games", help="what it is drawn over")
    options = parser.parse_args(arguments)
    if options.out.suffix not in FORMATS:
        parser.error(f"--out ends in {', '.join(FORMATS)}: got {options.out.name}")
    try:
        draw_to(options.out, options.runs, options.measure, options.along)
    except (RunFolderError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(options.out)
    return 0


def draw_to(out: Path, runs: list[Path], measure: str, along: str) -> None:
    """Write the picture of these runs. Raises: as `draw_learning`; RunFolderError where a folder is no run."""
    records = {str(run): read_metrics(run) for run in runs}
    figure = draw_learning(records, measure=measure, along=along, references=references(runs[0]))
    figure.set_facecolor("white")
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=160)


def references(run: Path) -> dict[str, float]:
    """Name -> height of the lines to compare with; {} where the run was not evaluated."""
    path = run / "evaluation.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {str(name): float(height) for name, height in found.get("references", {}).items()}


if __name__ == "__main__":
    sys.exit(main())
