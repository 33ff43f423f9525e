"""An experiment of several runs, as a result file: python benchmarks/sweep.py kuhn_rae_ablation --runs runs/ablation

Trains with `turnwise train experiment=NAME run_dir=RUNS` (a run that is complete there is not trained again), prints
the table, and writes it with every run's summary, the commit and the machine to `--json`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import save_result


def main() -> None:
    """Parse, train, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", help="an option of configs/experiment with a sweep")
    parser.add_argument("overrides", nargs="*", help="further settings as KEY=VALUE, sweep.jobs=2 for example")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--json", type=Path, help="result file (default: benchmarks/results/EXPERIMENT.json)")
    options = parser.parse_intermixed_args()
    words = [f"experiment={options.experiment}", f"run_dir={options.runs}", *options.overrides]
    subprocess.run([sys.executable, "-m", "turnwise", "train", *words], check=True)
    table = json.loads((options.runs / "table.json").read_text())
    out = options.json or Path(__file__).parent / "results" / f"{options.experiment}.json"
    save_result(out, table["rows"], packages=("torch", "transformers", "open-spiel"), runs=summaries(options.runs))


def summaries(runs: Path) -> list[dict[str, Any]]:
    """The summary of every run, by the name of its folder."""
    found = sorted(runs.glob("*/summary.json"))
    return [{"run": path.parent.name, **json.loads(path.read_text())} for path in found]


if __name__ == "__main__":
    main()
