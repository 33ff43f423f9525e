"""Draw how runs learned, from their run folders: one thin line a run, their mean, and the spread between them.

    python benchmarks/plot_learning.py runs/kuhn-0 runs/kuhn-1 runs/kuhn-2 --out docs/learning_curve.png

The ending of --out (png, svg, pdf) says the format. The start comes from summary.json, the horizontal lines
from the first run's evaluation.json.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from turnwise.algorithms.files import RunFolderError
from turnwise.algorithms.reporting.measures import with_start
from turnwise.algorithms.reporting.plots import draw_learning
from turnwise.algorithms.reporting.report_tables import read_object
from turnwise.algorithms.reporting.runlog import read_metrics

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
    records = {str(run): with_start(read_metrics(run), read_object(run / "summary.json") or {}) for run in runs}
    lines = (read_object(runs[0] / "evaluation.json") or {}).get("references", {})
    figure = draw_learning(records, measure=measure, along=along, references=lines)
    figure.set_facecolor("white")
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=160)


if __name__ == "__main__":
    sys.exit(main())
