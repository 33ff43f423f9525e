"""A step of multi-turn GRPO, turnwise against trl: processor time, sampled tokens and memory, on the same tokens.

    python benchmarks/race_trl.py --json benchmarks/results/race_trl.json

Needs the extra `bench` (trl 1.16). Both sides train one tiny Qwen3 (525,056 parameters), which has learned to call a
tool, to play tic-tac-toe through that tool: groups of 8 rollouts, at most 320 tokens behind a prompt of about 300, GRPO
without a reference model, tokens summed as in Dr.GRPO, AdamW. Whether both read the same ids is checked before anything
is timed: those of the prompt and those of a whole scripted game.

Each side runs in a process of its own with one thread; the sides take turns, and figures are medians of the repeats. A
process runs some steps, of which the first does not count. Three sides:

    trl             GRPOTrainer with `environment_factory`
    turnwise        steps of a run; an episode goes on until a reply calls no tool, as in trl
    turnwise, ends  the same, but an episode ends with its game, which trl's environments cannot say

`worst` is the largest gap between a log-prob of plain transformers and turnwise's, of sampler and trainer; a row with
more than 1e-5 nats fails the race.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from common import print_table, save_result

FOLDER = Path(__file__).resolve().parent
SIDES = ("trl", "turnwise", "turnwise, ends")
MOST_NATS = 1e-5
FIGURES = ("cpu_s", "tokens", "turns", "memory_start_mb", "memory_peak_mb", "memory_above_mb")
COLUMNS = (
    ("rollouts", "side", "cpu_s", "tokens", "turns_per_rollout", "us_per_token", "worst"),
    ("rollouts", "side", "memory_start_mb", "memory_peak_mb", "memory_above_mb"),
    ("rollouts", "side", "times_faster", "times_faster_low", "times_faster_per_token", "memory_peak", "memory_above"),
)
NOTES = {
    "cpu_s": "processor time of a step, rollout and update together",
    "tokens": "sampled in a step",
    "memory_start_mb": "resident set of the process before its first step, libraries and model",
    "memory_peak_mb": "at its largest in the steps; memory_above_mb: less the start",
    "times_faster": "trl's cpu_s over this side's, median of the repeats; times_faster_low: the least of them",
    "times_faster_per_token": "the same per sampled token",
    "memory_peak": "share of trl's memory_peak_mb; memory_above: of its memory_above_mb",
}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rollouts", default="32,128", help="per step, multiples of 32 or below it")
    parser.add_argument("--steps", default="6,3", help="timed steps of a process, for each of those")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sides", default=";".join(SIDES), help="with semicolons between them")
    parser.add_argument("--assets", type=Path, help="folder to keep model and tokenizer in; made where it is empty")
    parser.add_argument("--peer-python", default=sys.executable, help="the interpreter that has trl")
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args(arguments)
    sizes = list(zip(_numbers(given.rollouts), _numbers(given.steps), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        assets = given.assets or Path(folder)
        if not (assets / "about.json").exists():
            made = [given.peer_python, str(FOLDER / "race_assets.py"), str(assets)]
            subprocess.run(made, check=True, env=_environment(), stdout=sys.stderr)
        about = json.loads((assets / "about.json").read_text())
        race = Race(assets, given.peer_python, tuple(given.sides.split(";")), given.repeats)
        rows = [row for rollouts, steps in sizes for row in race.rows(rollouts, steps)]
    for columns in COLUMNS:
        print_table(rows, columns)
        print()
    if given.json:
        kept = {name: about[name] for name in ("prompt_tokens", "parameters")}
        save_result(given.json, rows, repeats=given.repeats, versions=race.versions, notes=NOTES, **kept)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


class Race:
    """Runs the sides one after the other."""

    def __init__(self, assets: Path, peer_python: str, sides: Sequence[str], repeats: int) -> None:
        self._assets, self._peer_python, self._sides, self._repeats = assets, peer_python, sides, repeats
        self.versions: dict[str, dict[str, str]] = {}

    def rows(self, rollouts: int, steps: int) -> Iterator[dict[str, Any]]:
        """One row a side. Raises SystemExit where the sides do not read the same ids, or log-probs are off."""
        found: dict[str, list[dict[str, Any]]] = {side: [] for side in self._sides}
        for seed in range(self._repeats):
            for side in self._sides:
                print(f"{rollouts} rollouts, repeat {seed}: {side}", file=sys.stderr)
                found[side].append(self._run(side, rollouts, steps, seed))
            _require_same_ids({side: results[seed] for side, results in found.items()})
        peer = found.get("trl")
        for side, results in found.items():
            self.versions[side] = results[0]["versions"]
            yield row(rollouts, side, results, peer)

    def _run(self, side: str, rollouts: int, steps: int, seed: int) -> dict[str, Any]:
        script = "race_peer.py" if side == "trl" else "race_ours.py"
        line = [self._peer_python if side == "trl" else sys.executable, str(FOLDER / script), str(self._assets)]
        line += ["--rollouts", str(rollouts), "--steps", str(steps), "--seed", str(seed)]
        line += ["--ends"] if side.endswith("ends") else []
        done = subprocess.run(line, capture_output=True, text=True, check=False, env=_environment())
        if done.returncode:
            sys.exit(f"{side} failed:\n{done.stderr[-3000:]}")
        return json.loads(done.stdout.splitlines()[-1])


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}


def _require_same_ids(results: Mapping[str, Mapping[str, Any]]) -> None:
    for name in ("prompt_ids", "script_ids"):
        if len({tuple(result[name]) for result in results.values()}) > 1:
            sys.exit(
                f"the sides read other tokens, {name} differ: {json.dumps({s: r[name] for s, r in results.items()})}"
            )


def row(
    rollouts: int, side: str, results: Sequence[dict[str, Any]], peer: Sequence[dict[str, Any]] | None
) -> dict[str, Any]:
    """Medians of the repeats, and ratios to the peer's run of the same repeat."""
    middle = {name: statistics.median(result[name] for result in results) for name in FIGURES}
    found: dict[str, Any] = {"rollouts": rollouts, "side": side, **middle}
    found["turns_per_rollout"] = found.pop("turns") / rollouts
    found["us_per_token"] = statistics.median(1e6 * result["cpu_s"] / result["tokens"] for result in results)
    if side == "trl":
        return found
    found["worst"] = max(result["worst"] for result in results)
    if found["worst"] > MOST_NATS:
        sys.exit(
            f"{side} with {rollouts} rollouts: log-probs are off by {found['worst']:.1e} nats, more than {MOST_NATS}"
        )
    return found | ({} if peer is None else ratios(results, peer))


def ratios(results: Sequence[dict[str, Any]], peer: Sequence[dict[str, Any]]) -> dict[str, float]:
    """How a side stands to the peer, repeat by repeat."""
    pairs = list(zip(results, peer, strict=True))
    faster = [theirs["cpu_s"] / ours["cpu_s"] for ours, theirs in pairs]
    fewer = [ours["tokens"] / theirs["tokens"] for ours, theirs in pairs]
    found = {"times_faster": statistics.median(faster), "times_faster_low": min(faster)}
    found["times_faster_per_token"] = statistics.median(a * b for a, b in zip(faster, fewer, strict=True))
    for name in ("memory_peak", "memory_above"):
        found[name] = statistics.median(ours[f"{name}_mb"] / theirs[f"{name}_mb"] for ours, theirs in pairs)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
