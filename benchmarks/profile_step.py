"""Where a training step's processor time goes, before and after, as a table and as a picture.

    python benchmarks/profile_step.py --base ../before --plot docs/step_time.png

`--base` is a checkout of an earlier commit; its steps run in a process of their own with its `src` on PYTHONPATH. Two
workloads: a step of the default run (Kuhn poker), and turnwise's step of `race_trl.py` with 32 rollouts (`--assets`:
the folder that race_trl.py was told to keep its model in; left out without one).

A timer of the process's own time interrupts the step some hundred times a second and books what has passed since to
the functions that run. `model` counts as model: forward, head and backward.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from common import print_table, save_result

INTERVAL_S = 0.002
STEPS = {"kuhn": (10, 60), "race": (2, 6)}
"""Workload -> steps before, and steps that are looked at."""
TITLES = {
    "kuhn": "the default run, Kuhn poker, 512 games a step",
    "race": "multi-turn GRPO of race_trl.py, 32 rollouts",
}
PARTS = {"play": "rollout", "judge": "credit", "pack": "pack", "_update": "update"}
"""Function that `Run._step` calls -> part of the step; whatever else is there is `rest`: counts, figures, records."""
MODEL = ("forward", "head", "backward")
FORWARD = ("modeling_", "tree_attention", "lean.")
"""How files begin that are the model's forward pass outside the rollout."""
ENGINE = ("local.py", "rows.py", "drawing.py", "parking.py", "trunks.py", "kv.py", "drafts.py", "static.py")
Part = tuple[str, ...]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, help="a checkout of an earlier commit")
    parser.add_argument("--assets", type=Path, help="of race_trl.py")
    parser.add_argument("--plot", type=Path, help="write the picture here")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--measure", choices=sorted(STEPS), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.measure:
        print(json.dumps(measure(given.measure, given.assets)))
        return
    rows = []
    for workload in STEPS if given.assets else ("kuhn",):
        for state, root in (("before", given.base), ("after", Path(__file__).resolve().parents[1])):
            if root is not None:
                rows.append({"workload": workload, "state": state, **_elsewhere(workload, root, given.assets)})
    print_table([_flat(row) for row in rows], ("workload", "state", *_columns(rows)))
    if given.json:
        save_result(given.json, rows, packages=("torch", "transformers"))
    if given.plot:
        draw(rows, given.plot)


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    parts = dict.fromkeys(part for row in rows for part in sorted(row["ms"]))
    return ["commit", "step_ms", "turns", "in_model", "outside_us_per_turn", *parts]


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, **row["ms"], "commit": row["commit"][:7]}


def _elsewhere(workload: str, root: Path, assets: Path | None) -> dict[str, Any]:
    """The figures of a workload with the turnwise of that checkout."""
    line = [sys.executable, __file__, "--measure", workload, *(["--assets", str(assets)] if assets else [])]
    place = {**os.environ, "PYTHONPATH": str(root.resolve() / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=place)
    if done.returncode:
        sys.exit(f"{workload} with {root} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# In a process of its own


def measure(workload: str, assets: Path | None) -> dict[str, Any]:
    """Milliseconds of a step by part, and what follows from them."""
    import turnwise
    from turnwise.algorithms.collector import quiet_collector

    before, steps = STEPS[workload]
    with tempfile.TemporaryDirectory() as folder:
        run = kuhn_run(Path(folder)) if workload == "kuhn" else race_run(Path(folder), assets or Path("."))
        with quiet_collector():
            for _ in range(before):
                run.step()
            turns, sampler = run.turns, Sampler()
            with sampler:
                for _ in range(steps):
                    run.step()
        turns = (run.turns - turns) / steps
    milliseconds = {"/".join(path): 1e3 * spent / steps for path, spent in sorted(sampler.spent.items())}
    whole = sum(milliseconds.values())
    model = sum(spent for path, spent in milliseconds.items() if path.rpartition("/")[2] in MODEL)
    return {
        "commit": _commit(Path(turnwise.__file__).resolve().parents[2]),
        "step_ms": whole,
        "turns": turns,
        "in_model": model / whole,
        "outside_us_per_turn": 1e3 * (whole - model) / turns,
        "ms": milliseconds,
    }


def _commit(root: Path) -> str:
    line = ["git", "-C", str(root), "rev-parse", "HEAD"]
    return subprocess.run(line, capture_output=True, text=True, check=False).stdout.strip()


def kuhn_run(folder: Path) -> Any:
    """What `turnwise train` does."""
    from turnwise.algorithms.compose import compose, run_settings
    from turnwise.algorithms.evaluation.exams import exams_of
    from turnwise.algorithms.run import Run
    from turnwise.algorithms.startup import fresh_policy

    settings = run_settings(compose(["tensorboard=false", "engine.device=cpu"]))
    return Run(settings, folder, fresh_policy(settings), exams_of(settings))


def race_run(folder: Path, assets: Path) -> Any:
    """turnwise's side of the race."""
    import race_ours

    return race_ours.make_run(argparse.Namespace(assets=assets, rollouts=32, seed=0, ends=False, overrides=[]), folder)


class Sampler:
    """Seconds of processor time by part, while it is entered."""

    def __init__(self) -> None:
        self.spent: defaultdict[Part, float] = defaultdict(float)

    def __enter__(self) -> None:
        self._last = time.process_time()
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _look(self, _: int, frame: FrameType | None) -> None:
        now = time.process_time()
        self.spent[part_of(list(reversed(list(_calls(frame)))))] += now - self._last
        self._last = time.process_time()


def _calls(frame: FrameType | None) -> Iterator[tuple[str, str]]:
    """(file, function) of what runs, the innermost first."""
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_code.co_name
        frame = frame.f_back


def part_of(calls: Sequence[tuple[str, str]]) -> Part:
    """Where time is booked that these calls took, (file, function) from the outermost to the innermost."""
    names = [(Path(file).name, function) for file, function in calls]
    inside = names[next((place for place, name in enumerate(names) if name == ("run.py", "_step")), len(names)) + 1 :]
    part = PARTS.get(inside[0][1], "rest") if inside else "rest"
    if part == "rollout":
        return part, _of_rollout(inside, calls)
    if part == "update":
        return part, _of_update(inside)
    forward = any(file.startswith(FORWARD) for file, _ in inside)  # what a recorder or a credit asks of the weights
    return (part, "forward") if forward else (part,)


def _of_rollout(inside: Sequence[tuple[str, str]], calls: Sequence[tuple[str, str]]) -> str:
    files = {file for file, _ in inside}
    if "decoder.py" in files or any(file.startswith("modeling_") for file in files):
        return "forward"
    if not files.isdisjoint(ENGINE):
        return "sampling"
    if "context.py" in files:
        return "text"
    return "games" if any("/envs/" in file for file, _ in calls) else "records"


def _of_update(inside: Sequence[tuple[str, str]]) -> str:
    files = {file for file, _ in inside}
    if ("_tensor.py", "backward") in inside:
        return "backward"
    if any(file.startswith(FORWARD) for file in files):
        return "forward"
    if any(file.startswith("logprobs") for file in files) or inside[-1][0] in ("policy.py", "linear.py", "forward.py"):
        return "head"
    return "optimiser" if files & {"adamw.py", "optimizer.py", "optimiser.py", "clip_grad.py"} else "loss"


# The picture

COLOURS = {
    "step": "#d9d9d9",
    "rollout": "#4c78a8",
    "update": "#f58518",
    "credit": "#54a24b",
    "pack": "#b279a2",
    "rest": "#9d9d9d",
    "forward": "#e45756",
    "backward": "#ff9da6",
    "head": "#d67195",
    "sampling": "#72b7b2",
    "text": "#eeca3b",
    "games": "#88d27a",
    "records": "#bab0ac",
    "optimiser": "#fcbf6f",
    "loss": "#d8b5a5",
}


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """A step as an icicle: the step, its parts, what they do; before and after on one scale."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    workloads = list(dict.fromkeys(row["workload"] for row in rows))
    figure = Figure(figsize=(11, 3.1 * len(workloads) + 0.4), layout="constrained")
    axes = figure.subplots(len(workloads), 1, squeeze=False)
    for axis, workload in zip(axes[:, 0], workloads, strict=True):
        own = [row for row in rows if row["workload"] == workload]
        widest = max(row["step_ms"] for row in own)
        for place, row in enumerate(own):
            for box in boxes(row["ms"]):
                _box(axis, box, -4 * place, widest)
            label = f"{row['state']}: {row['step_ms']:,.0f} ms, {row['in_model']:.0%} in the model"
            axis.text(0, -4 * place + 0.15, label, fontsize=9, va="bottom")
        axis.set(xlim=(0, widest), ylim=(-4 * len(own) + 0.9, 0.8), yticks=[], title=TITLES[workload])
        axis.set_xlabel("processor time of a step in ms")
        for side in ("left", "right", "top"):
            axis.spines[side].set_visible(False)
    marks = [Patch(color=colour, label=name) for name, colour in COLOURS.items() if name != "step"]
    figure.legend(handles=marks, loc="outside lower center", ncols=7, fontsize=8, frameon=False)
    figure.savefig(path, dpi=130)


def boxes(milliseconds: Mapping[str, float]) -> Iterator[tuple[str, int, float, float]]:
    """(name, depth, left end, width) of every box, parts that belong together side by side."""
    yield "step", 0, 0.0, sum(milliseconds.values())
    left = 0.0
    for part in ("rollout", "credit", "pack", "update", "rest"):
        own = {path: spent for path, spent in milliseconds.items() if path.partition("/")[0] == part}
        if own:
            yield part, 1, left, sum(own.values())
        for path, spent in sorted(own.items(), key=lambda item: -item[1]):
            if "/" in path:
                yield path.partition("/")[2], 2, left, spent
            left += spent


def _box(axis: Any, box: tuple[str, int, float, float], top: int, widest: float) -> None:
    name, depth, left, width = box
    axis.broken_barh([(left, width)], (top - depth - 1, 0.96), color=COLOURS[name], edgecolor="white", linewidth=0.6)
    if width > 0.012 * len(name) * widest:
        axis.text(left + width / 2, top - depth - 0.53, name, ha="center", va="center", fontsize=8)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main(sys.argv[1:])
